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
	// shortestLife and longestLife bound what is believed of a token's expiry: a wrong clock, here or at Smile, must
	// neither make tokens by the minute nor keep one for ever.
	shortestLife = 10 * time.Minute
	longestLife  = 24 * time.Hour
	// mintPause is the least time between two tokens of a user.
	mintPause = 5 * time.Minute
	// usualLength is how many characters an access token has, roughly.
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
	"the Secret of the link token was deleted or changed: it gets a new token, at most one in five minutes")

// issueToken keeps a fresh link token, if one is wanted. Trouble with its Secret ends the pass only after everything else.
func (v *visit) issueToken(ctx context.Context, p *pass) (engine.Outcome, error) {
	err := v.keepToken(ctx, p)
	for _, reason := range []string{v1alpha1.ReasonClusterRefused, v1alpha1.ReasonOutputConflict, v1alpha1.ReasonProgressing} {
		if problem.Is(err, reason) {
			v.trouble = problem.Classify(err).On(v1alpha1.ConditionTokenIssued)
			return engine.Unchanged, nil
		}
	}
	if p.Object.Spec.LinkToken == nil {
		return engine.Absent, err
	}
	return engine.Succeeded, err
}

// keepToken keeps a fresh link token in the Secret that the spec names. A token that exists is stored rather than a new one
// minted: one that could not be stored before, one in the Secret of a former name, or one that the status has lost.
func (v *visit) keepToken(ctx context.Context, p *pass) error {
	if p.Object.Spec.LinkToken == nil {
		return v.dropToken(ctx, p)
	}
	v.minted.created(p.Object, v.token, p.Now)
	stored, err := v.openToken(ctx, p)
	if err != nil {
		return err
	}
	held := p.Object.Status.LinkToken
	intact := !v.takenBack && v.unchanged(stored.Content(), held) && held.SecretName == p.Object.Spec.LinkToken.SecretName
	if intact && held.RenewAt.After(p.Now) {
		p.WakeAt(held.RenewAt.Time)
		_, err := v.Outputs.Write(ctx, p.Object, stored, stored.Content(), nil) // its owner, if somebody has cut that
		return err
	}
	token, err := v.tokenAtHand(ctx, p, stored)
	if err == nil && token == nil {
		token, err = v.mintInTime(ctx, p, stored)
	}
	if err != nil || token == nil {
		return err
	}
	return v.storeToken(ctx, p, stored, token)
}

func (v *visit) dropToken(ctx context.Context, p *pass) error {
	v.minted.stored(p.Object)
	if held := p.Object.Status.LinkToken; held != nil {
		if err := v.Outputs.Delete(ctx, p.Object, secretOf(held.SecretName)); err != nil {
			return err
		}
		p.Object.Status.LinkToken = nil
	}
	return nil
}

// openToken reads the Secret, and takes it back when a deleted object has left it behind and it holds nothing else.
func (v *visit) openToken(ctx context.Context, p *pass) (*output.Stored, error) {
	stored, err := v.Outputs.Open(ctx, p.Object, secretOf(p.Object.Spec.LinkToken.SecretName))
	if err != nil {
		return nil, err
	}
	if stored.LeftBehind() {
		if !stored.HoldsOnly(keyAccessToken, keyExpiresAt, keyMode, keyUserID) {
			return nil, stored.Conflict()
		}
		stored.TakeBack()
		v.takenBack = true
	}
	return stored, nil
}

// issuedToken is a token as it is stored, and when it was and will be minted.
type issuedToken struct {
	content                  output.Content
	issued, expires, renewal time.Time
}

// tokenAtHand finds a token that is not due yet and need not be minted; nil when there is none.
func (v *visit) tokenAtHand(ctx context.Context, p *pass, stored *output.Stored) (*issuedToken, error) {
	if token := v.minted.unstored(p.Object); token != nil && token.renewal.After(p.Now) {
		return token, nil
	}
	held := p.Object.Status.LinkToken
	if held == nil || !held.RenewAt.After(p.Now) {
		return recovered(stored.Content(), p.Object, p.Now), nil
	}
	found := stored.Content()
	if !v.unchanged(found, held) && held.SecretName != p.Object.Spec.LinkToken.SecretName {
		former, err := v.Outputs.Read(ctx, p.Object, secretOf(held.SecretName))
		if err != nil && !problem.Is(err, v1alpha1.ReasonOutputConflict) {
			return nil, err
		}
		found = former
	}
	if !v.unchanged(found, held) {
		return recovered(stored.Content(), p.Object, p.Now), nil
	}
	return &issuedToken{found, held.IssuedAt.Time, held.ExpiresAt.Time, held.RenewAt.Time}, nil
}

// recovered is the token that a Secret holds though the status does not know it: the status was lost, or the process ended
// between the two. When it was minted is not known any more.
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

func (v *visit) unchanged(content output.Content, held *v1alpha1.LinkTokenStatus) bool {
	return holdsToken(content, held, v.Owners.Key)
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

// mintInTime mints a token, but no sooner than the pause after the last one, and only if its Secret can be written. Nil
// without an error means that the present one serves until then.
func (v *visit) mintInTime(ctx context.Context, p *pass, stored *output.Stored) (*issuedToken, error) {
	held := p.Object.Status.LinkToken
	last := v.minted.last(p.Object.Status.UserID)
	if held != nil && held.IssuedAt.After(last) {
		last = held.IssuedAt.Time
	}
	if due := last.Add(mintPause); !last.IsZero() && due.After(p.Now) {
		if v.unchanged(stored.Content(), held) && !v.takenBack {
			p.WakeAt(due)
			return nil, nil
		}
		return nil, errTokenGone.After(due.Sub(p.Now))
	}
	trial := tokenContent(p.Object, smile.Token{
		AccessToken: smile.NewSensitive(strings.Repeat("x", usualLength)), ExpiresAt: p.Now.Add(longestLife),
		Mode: smile.Mode(p.Object.Status.Mode),
	})
	if err := v.Outputs.Check(ctx, p.Object, stored, trial, nil); err != nil {
		return nil, err
	}
	token, err := v.mint(ctx, p)
	if err != nil {
		return nil, err
	}
	return v.minted.now(p.Object, token, v.Clock.Now()), nil
}

// mint takes a new token, for a user that is surely this object's.
func (v *visit) mint(ctx context.Context, p *pass) (smile.Token, error) {
	conn, _, err := v.connection()
	if err != nil {
		return smile.Token{}, err
	}
	return linktoken.Mint(ctx, v.Owners, conn, p.Object)
}

func tokenContent(user *v1alpha1.SmileUser, token smile.Token) output.Content {
	return output.Content{
		keyAccessToken: []byte(token.AccessToken.Reveal()),
		keyExpiresAt:   []byte(token.ExpiresAt.UTC().Format(time.RFC3339)),
		keyMode:        []byte(token.Mode),
		keyUserID:      []byte(user.Status.UserID),
	}
}

// storeToken writes a token, removes the Secret of a former name, and says so in the status.
func (v *visit) storeToken(ctx context.Context, p *pass, stored *output.Stored, token *issuedToken) error {
	name, held := p.Object.Spec.LinkToken.SecretName, p.Object.Status.LinkToken
	if _, err := v.Outputs.Write(ctx, p.Object, stored, token.content, nil); err != nil {
		return err
	}
	v.minted.stored(p.Object)
	now := &v1alpha1.LinkTokenStatus{
		SecretName: name,
		IssuedAt:   metav1.NewTime(token.issued),
		ExpiresAt:  metav1.NewTime(token.expires),
		RenewAt:    metav1.NewTime(token.renewal),

		Fingerprint: fingerprintOf(token.content, v.Owners.Key),
	}
	p.Object.Status.LinkToken = now
	p.WakeAt(token.renewal)
	if v.takenBack {
		p.Event(corev1.EventTypeNormal, v1alpha1.ReasonOutputTakenBack, "Write",
			"took back the Secret of the link token, which a deleted object has left behind")
	}
	if held == nil || held.SecretName == name {
		return nil
	}
	if err := v.Outputs.Delete(ctx, p.Object, secretOf(held.SecretName)); err != nil {
		now.SecretName = held.SecretName // it is still to be removed
		return err
	}
	return nil
}

// renewAt is half of a token's life after its issue, minus up to a tenth of that, so that tokens made together are
// not renewed together. It is computed once and stored: recomputed from what remains it would creep to the end.
func renewAt(issued, expires time.Time, jitter float64) time.Time {
	life := min(max(expires.Sub(issued), shortestLife), longestLife)
	half := life / 2
	return issued.Add(half - time.Duration(jitter*float64(half)/10)).Truncate(time.Second)
}

func secretOf(name string) output.Target { return output.Target{Kind: output.Secret, Name: name} }
