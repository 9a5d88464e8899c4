package user

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/linktoken"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// shortestLife and longestLife bound the life that a token's expiry implies: a wrong clock, here or at Smile, must not cause
	// a new token every minute, nor keep one forever.
	shortestLife = 10 * time.Minute
	longestLife  = 24 * time.Hour
	// mintPause is the minimum time between two tokens of a user.
	mintPause = 5 * time.Minute
	// usualLength is roughly how many characters an access token has.
	usualLength = 512
)

// Keys of a Secret that holds a link token. They are written together.
const (
	keyAccessToken = "accessToken"
	keyExpiresAt   = "expiresAt"
	keyMode        = "mode"
	keyUserID      = "userId"
)

var errTokenGone = problem.NewNotReady(v1alpha1.ReasonProgressing,
	"the Secret of the link token was deleted or changed: it gets a new token, at most one every five minutes")

// issueToken keeps a fresh link token, if the spec asks for one. A problem of its Secret ends the reconcile only after all
// phases.
func (s *scope) issueToken(ctx context.Context, run *run) (engine.Outcome, error) {
	outcome, err := s.keepToken(ctx, run)
	for _, reason := range []string{v1alpha1.ReasonClusterRefused, v1alpha1.ReasonOutputConflict, v1alpha1.ReasonProgressing} {
		if problem.Is(err, reason) {
			s.tokenErr = problem.Classify(err).On(v1alpha1.ConditionTokenIssued)
			return engine.Unchanged, nil
		}
	}
	return outcome, err
}

// keepToken keeps a fresh link token in the Secret that the spec names. An existing token is preferred to a new one: one that
// could not be stored before, one in the Secret of a former name, or one that the status has lost.
func (s *scope) keepToken(ctx context.Context, run *run) (engine.Outcome, error) {
	if run.Object.Spec.LinkToken == nil {
		return engine.Absent, s.dropToken(ctx, run)
	}
	s.r.minted.created(run.Object, s.token, run.Now)
	secret, err := s.openToken(ctx, run)
	if err != nil {
		return engine.Unchanged, err
	}
	held := run.Object.Status.LinkToken
	intact := !secret.takenBack && s.unchanged(secret.Content(), held) && held.SecretName == run.Object.Spec.LinkToken.SecretName
	if intact && held.RenewAt.After(run.Now) {
		run.WakeAt(held.RenewAt.Time)
		_, err := s.r.Outputs.Write(ctx, run.Object, secret.Stored, secret.Content(), nil) // restores its owner reference
		return engine.Succeeded, err
	}
	token, err := s.existingToken(ctx, run, secret)
	if err == nil && token == nil {
		token, err = s.mintInTime(ctx, run, secret)
	}
	if err != nil || token == nil {
		return engine.Succeeded, err
	}
	return engine.Succeeded, s.storeToken(ctx, run, secret, token)
}

// dropToken deletes the Secret of a link token that the spec no longer asks for.
func (s *scope) dropToken(ctx context.Context, run *run) error {
	s.r.minted.stored(run.Object)
	if held := run.Object.Status.LinkToken; held != nil {
		if err := s.r.Outputs.Delete(ctx, run.Object, secretOf(held.SecretName)); err != nil {
			return err
		}
		run.Object.Status.LinkToken = nil
	}
	return nil
}

// tokenSecret is the Secret of the link token as it was read.
type tokenSecret struct {
	*output.Stored
	// takenBack is true if a deleted object has left it behind.
	takenBack bool
}

// openToken reads the Secret. One that a deleted object has left behind is taken back if it holds nothing but a token.
func (s *scope) openToken(ctx context.Context, run *run) (secret tokenSecret, err error) {
	secret.Stored, err = s.r.Outputs.Open(ctx, run.Object, secretOf(run.Object.Spec.LinkToken.SecretName))
	if err != nil || !secret.LeftBehind() {
		return secret, err
	}
	if !secret.HoldsOnly(keyAccessToken, keyExpiresAt, keyMode, keyUserID) {
		return secret, secret.Conflict()
	}
	secret.TakeBack()
	secret.takenBack = true
	return secret, nil
}

// issuedToken is a token as it is stored, with the times of its issue, expiry and renewal.
type issuedToken struct {
	content                  output.Content
	issued, expires, renewal time.Time
}

// existingToken returns a token that is not due for renewal; nil if there is none.
func (s *scope) existingToken(ctx context.Context, run *run, secret tokenSecret) (*issuedToken, error) {
	if token := s.r.minted.unstored(run.Object); token != nil && token.renewal.After(run.Now) {
		return token, nil
	}
	held := run.Object.Status.LinkToken
	if held == nil || !held.RenewAt.After(run.Now) {
		return recovered(secret.Content(), run.Object, run.Now), nil
	}
	found := secret.Content()
	if !s.unchanged(found, held) && held.SecretName != run.Object.Spec.LinkToken.SecretName {
		former, err := s.r.Outputs.Read(ctx, run.Object, secretOf(held.SecretName))
		if err != nil && !problem.Is(err, v1alpha1.ReasonOutputConflict) {
			return nil, err
		}
		found = former
	}
	if !s.unchanged(found, held) {
		return recovered(secret.Content(), run.Object, run.Now), nil
	}
	return &issuedToken{found, held.IssuedAt.Time, held.ExpiresAt.Time, held.RenewAt.Time}, nil
}

// recovered returns the token of a Secret that the status does not show, because the status was lost, or the process ended
// between the two writes. It is nil if there is none. When the token was minted is unknown, so it counts as minted now.
func recovered(content output.Content, user *v1alpha1.SmileUser, now time.Time) *issuedToken {
	expires, err := time.Parse(time.RFC3339, string(content[keyExpiresAt]))
	held := user.Status.LinkToken
	life := expires.Sub(now)
	switch {
	case err != nil || len(content) != 4 || len(content[keyAccessToken]) == 0 || len(content[keyMode]) == 0,
		string(content[keyUserID]) != user.Status.UserID,
		life <= shortestLife || life > longestLife,
		held != nil && !expires.After(held.ExpiresAt.Time):
		return nil
	}
	return &issuedToken{content, now, expires, renewAt(now, expires, rand.Float64())}
}

func (s *scope) unchanged(content output.Content, held *v1alpha1.LinkTokenStatus) bool {
	return holdsToken(content, held, s.r.Owners.Key)
}

// holdsToken reports whether the Secret holds the token that was issued last, unchanged. A status of an older operator has no
// fingerprint.
func holdsToken(content output.Content, held *v1alpha1.LinkTokenStatus, key identity.Key) bool {
	return held != nil && len(content[keyAccessToken]) > 0 &&
		string(content[keyExpiresAt]) == held.ExpiresAt.UTC().Format(time.RFC3339) &&
		(held.Fingerprint == "" || held.Fingerprint == fingerprintOf(content, key))
}

func fingerprintOf(content output.Content, key identity.Key) string {
	return key.Fingerprint("token", content[keyAccessToken], content[keyExpiresAt], content[keyMode], content[keyUserID])
}

// mintInTime mints a token, but no sooner than the pause after the last one, and only if its Secret can be written. It returns
// nil without an error if the present token serves until then.
func (s *scope) mintInTime(ctx context.Context, run *run, secret tokenSecret) (*issuedToken, error) {
	held := run.Object.Status.LinkToken
	last := s.r.minted.last(run.Object.Status.UserID)
	if held != nil && held.IssuedAt.After(last) {
		last = held.IssuedAt.Time
	}
	if due := last.Add(mintPause); !last.IsZero() && due.After(run.Now) {
		if s.unchanged(secret.Content(), held) && !secret.takenBack {
			run.WakeAt(due)
			return nil, nil
		}
		return nil, errTokenGone.After(due.Sub(run.Now))
	}
	trial := tokenContent(run.Object, smile.Token{
		AccessToken: smile.NewSensitive(strings.Repeat("x", usualLength)), ExpiresAt: run.Now.Add(longestLife),
		Mode: smile.Mode(run.Object.Status.Mode),
	})
	if err := s.r.Outputs.Check(ctx, run.Object, secret.Stored, trial, nil); err != nil {
		return nil, err
	}
	token, err := s.mint(ctx, run)
	if err != nil {
		return nil, err
	}
	return s.r.minted.now(run.Object, token, s.r.Clock.Now()), nil
}

// mint mints a token, after it has verified that the user at Smile belongs to the object.
func (s *scope) mint(ctx context.Context, run *run) (smile.Token, error) {
	conn, _, err := s.remote.Use()
	if err != nil {
		return smile.Token{}, err
	}
	return linktoken.Mint(ctx, s.r.Owners, conn, run.Object)
}

func tokenContent(user *v1alpha1.SmileUser, token smile.Token) output.Content {
	return output.Content{
		keyAccessToken: []byte(token.AccessToken.Reveal()),
		keyExpiresAt:   []byte(token.ExpiresAt.UTC().Format(time.RFC3339)),
		keyMode:        []byte(token.Mode),
		keyUserID:      []byte(user.Status.UserID),
	}
}

// storeToken writes a token, removes the Secret of a former name, and records the token in the status.
func (s *scope) storeToken(ctx context.Context, run *run, secret tokenSecret, token *issuedToken) error {
	name, held := run.Object.Spec.LinkToken.SecretName, run.Object.Status.LinkToken
	if _, err := s.r.Outputs.Write(ctx, run.Object, secret.Stored, token.content, nil); err != nil {
		return err
	}
	s.r.minted.stored(run.Object)
	now := &v1alpha1.LinkTokenStatus{
		SecretName: name,
		IssuedAt:   metav1.NewTime(token.issued),
		ExpiresAt:  metav1.NewTime(token.expires),
		RenewAt:    metav1.NewTime(token.renewal),

		Fingerprint: fingerprintOf(token.content, s.r.Owners.Key),
	}
	run.Object.Status.LinkToken = now
	run.WakeAt(token.renewal)
	if secret.takenBack {
		run.Event(corev1.EventTypeNormal, v1alpha1.ReasonOutputTakenBack, "Write",
			"took back the Secret of the link token, which a deleted object had left behind")
	}
	if held == nil || held.SecretName == name {
		return nil
	}
	if err := s.r.Outputs.Delete(ctx, run.Object, secretOf(held.SecretName)); err != nil {
		now.SecretName = held.SecretName // it must still be deleted
		return err
	}
	return nil
}

// renewAt returns when to renew a token: after half of its life, minus up to a tenth of that, so that tokens that were minted
// together are not renewed together. It is computed once and stored. Recomputed from the remaining life, it would move to the
// end.
func renewAt(issued, expires time.Time, jitter float64) time.Time {
	life := min(max(expires.Sub(issued), shortestLife), longestLife)
	half := life / 2
	return issued.Add(half - time.Duration(jitter*float64(half)/10)).Truncate(time.Second)
}

func secretOf(name string) output.Target { return output.Target{Kind: output.Secret, Name: name} }
