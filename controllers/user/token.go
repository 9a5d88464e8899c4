package user

import (
	"context"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// shortestLife and longestLife bound what is believed of a token's expiry: a wrong clock, here or at Smile, must
	// neither make tokens by the minute nor keep one for ever.
	shortestLife = 10 * time.Minute
	longestLife  = 24 * time.Hour
	// mintPause is the least time between two tokens of a user.
	mintPause = 5 * time.Minute
)

// Keys of a Secret that holds a link token. They are written together.
const (
	keyAccessToken = "accessToken"
	keyExpiresAt   = "expiresAt"
	keyMode        = "mode"
	keyUserID      = "userId"
)

var errTokenGone = engine.NewNotReady(v1alpha1.ReasonProgressing,
	"the Secret of the link token was deleted or changed: it gets a new token, at most one in five minutes")

// keepToken keeps a fresh link token in the Secret that the spec names.
func (v *visit) keepToken(ctx context.Context, p *pass) error {
	wanted, held := p.Object.Spec.LinkToken, p.Object.Status.LinkToken
	if held != nil && (wanted == nil || wanted.SecretName != held.SecretName) {
		if err := v.Outputs.Delete(ctx, p.Object, secretOf(held.SecretName)); err != nil {
			return err
		}
		p.Object.Status.LinkToken, held = nil, nil
	}
	if wanted == nil {
		p.Drop()
		return nil
	}
	stored, err := v.Outputs.Open(ctx, p.Object, secretOf(wanted.SecretName))
	if err != nil {
		return err
	}
	takenBack := stored.LeftBehind()
	if takenBack {
		if !stored.HoldsOnly(keyAccessToken, keyExpiresAt, keyMode, keyUserID) {
			return stored.Conflict()
		}
		stored.TakeBack()
	}
	intact := !takenBack && holdsToken(stored.Content(), held, v.Owners.Key)
	if due := mintAt(held, intact); due.After(p.Now) {
		p.WakeAt(due)
		p.WakeAt(held.RenewAt.Time)
		if !intact {
			return errTokenGone.After(due.Sub(p.Now))
		}
		_, err := v.Outputs.Write(ctx, p.Object, stored, stored.Content(), nil) // its owner, if somebody has cut that
		return err
	}
	token, err := v.mint(ctx, p)
	if err != nil {
		return err
	}
	if err := v.storeToken(ctx, p, stored, token); err != nil {
		return err
	}
	if takenBack {
		p.Event(corev1.EventTypeNormal, v1alpha1.ReasonOutputTakenBack, "Write",
			"took back the Secret of the link token, which a deleted object has left behind, and wrote a new token into it")
	}
	return nil
}

// mintAt says when the next token is due: at the time that was fixed when the last was issued, or as soon as may be
// when the Secret does not hold that any more.
func mintAt(held *v1alpha1.LinkTokenStatus, intact bool) time.Time {
	switch {
	case held == nil:
		return time.Time{}
	case intact:
		return held.RenewAt.Time
	default:
		return held.IssuedAt.Add(mintPause)
	}
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

// mint takes the token that came with the user created in this pass, or else a new one, for a user that is surely
// this object's.
func (v *visit) mint(ctx context.Context, p *pass) (smile.Token, error) {
	if v.token.AccessToken.Reveal() != "" {
		return v.token, nil
	}
	ctx = smile.WithLane(ctx, smile.LaneCreate)
	conn, _, err := v.connection()
	if err != nil {
		return smile.Token{}, err
	}
	if err := v.Owners.Verify(ctx, conn, p.Object, p.Object.Status.UserID); err != nil {
		return smile.Token{}, err
	}
	token, err := conn.CreateToken(smile.WithFence(ctx, v.Fence), p.Object.Status.UserID)
	if smile.IsNotFound(err) {
		return smile.Token{}, mirror.ErrMissing
	}
	return token, err
}

func (v *visit) storeToken(ctx context.Context, p *pass, stored *output.Stored, token smile.Token) error {
	name, issued := p.Object.Spec.LinkToken.SecretName, v.Clock.Now()
	content := output.Content{
		keyAccessToken: []byte(token.AccessToken.Reveal()),
		keyExpiresAt:   []byte(token.ExpiresAt.UTC().Format(time.RFC3339)),
		keyMode:        []byte(token.Mode),
		keyUserID:      []byte(p.Object.Status.UserID),
	}
	if _, err := v.Outputs.Write(ctx, p.Object, stored, content, nil); err != nil {
		return err
	}
	p.Object.Status.LinkToken = &v1alpha1.LinkTokenStatus{
		SecretName: name,
		IssuedAt:   metav1.NewTime(issued),
		ExpiresAt:  metav1.NewTime(token.ExpiresAt),
		RenewAt:    metav1.NewTime(renewAt(issued, token.ExpiresAt, rand.Float64())),

		Fingerprint: fingerprintOf(content, v.Owners.Key),
	}
	p.WakeAt(p.Object.Status.LinkToken.RenewAt.Time)
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
