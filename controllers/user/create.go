package user

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// settleTime is how long a listing at Smile may lag behind a creation: one that starts later shows every user that
// an attempt before it has created.
const settleTime = 2 * time.Minute

var (
	errUnknown = engine.NewNotReady(v1alpha1.ReasonCreateOutcomeUnknown,
		"a creation was cut off and may have succeeded: waiting until Smile's listing can tell; nothing is created meanwhile")
	errReserved = engine.NewWaiting(v1alpha1.ReasonProgressing,
		"another SmileUser with the same subject is being created").After(5 * time.Second)
)

// create makes the remote user. The API knows neither an idempotency key nor a deletion, so the order of the steps
// is everything: the intent is stored before the call, in a write that fails on a stale object; the call is made
// only while this process is surely the leader; and what became of an attempt is never guessed. After an unknown
// outcome nothing is sent until a listing that is late enough has shown the user or its absence. A business key is
// refused last, after the lookup of a user who exists under it or may exist after an attempt.
func (v *visit) create(ctx context.Context, p *pass, person mirror.Person) error {
	marker := person.Marker
	if err := v.settle(ctx, p, marker); err != nil || p.Object.Status.UserID != "" {
		return err
	}
	conn, known, err := v.connection()
	if err != nil {
		return err
	}
	if p.Object.Spec.AdoptionPolicy != v1alpha1.AdoptionNever {
		for _, step := range []func(context.Context, *pass, identity.Marker) error{v.succeed, v.reserve} {
			if err := step(ctx, p, marker); err != nil || p.Object.Status.UserID != "" {
				return err
			}
		}
	}
	if err := v.intend(ctx, p, person); err != nil {
		known.Free(marker.Digest, p.Object.UID)
		return err
	}
	v.attempts.sending(p.Object, v.Clock.Now())
	created, err := conn.CreateUser(smile.WithFence(ctx, v.createFence(known, p.Object, marker)), metadata(p.Object, marker))
	if err != nil {
		return v.failed(p, known, marker, err)
	}
	return v.keep(p, known, marker, created)
}

// intend stores the intent, once the call is about to have its turn: while others go first, nothing is written.
func (v *visit) intend(ctx context.Context, p *pass, person mirror.Person) error {
	if person.Refused != nil {
		return person.Refused
	}
	if err := v.conn.TurnToCreate(ctx); err != nil {
		return err
	}
	return v.writeIntent(ctx, p)
}

// failed takes note of what is known of an attempt that failed: that it created nothing, or nothing.
func (v *visit) failed(p *pass, known *mirror.Mirror, marker identity.Marker, err error) error {
	if !smile.NotCreated(err) {
		v.attempts.sending(p.Object, v.Clock.Now())
		known.Renew(marker.Digest, p.Object.UID)
		known.Suspect()
		return errUnknown.After(settleTime).Because(err)
	}
	v.attempts.notCreated(p.Object)
	known.Free(marker.Digest, p.Object.UID)
	if errors.Is(err, context.Canceled) {
		p.Object.Status.CreateAttempt = nil // the next process could not know that nothing was sent
	}
	return err
}

// keep takes note of a user that was created, before anybody else may create the subject. One that turned out to live
// in the other mode is nobody's to use: all that follows waits for the right keys.
func (v *visit) keep(p *pass, known *mirror.Mirror, marker identity.Marker, created smile.CreatedUser) error {
	v.attempts.sending(p.Object, v.Clock.Now())
	known.Add(mirrored(created.User, marker))
	known.Claim(created.User.ID, claimOf(p.Object))
	known.Free(marker.Digest, p.Object.UID)
	v.attempts.settled(p.Object)
	v.record(p, created.User)
	p.Event(corev1.EventTypeNormal, v1alpha1.ReasonUserCreated, "Provision", "created the user at Smile")
	if err := v.conn.Usable(); err != nil {
		return err
	}
	known.NoAccounts(created.User.ID)
	p.Object.Status.Accounts = &v1alpha1.AccountCounts{}
	v.token = created.Token
	return nil
}

// createFence is asked when the call has its turn, which may be long after the subject was reserved: by then another
// object of the same subject may have found that nothing came of the reservation, and taken it.
func (v *visit) createFence(known *mirror.Mirror, user *v1alpha1.SmileUser, marker identity.Marker) func() error {
	if user.Spec.AdoptionPolicy == v1alpha1.AdoptionNever {
		return v.Fence
	}
	return func() error {
		if err := v.Fence(); err != nil {
			return err
		}
		if !known.Renew(marker.Digest, user.UID) {
			return errReserved
		}
		return nil
	}
}

// settle finds out what became of an earlier attempt, if that is unknown. It returns nil once a new call may be
// made, or the user was found and recorded.
func (v *visit) settle(ctx context.Context, p *pass, marker identity.Marker) error {
	seen, unknown := v.attempts.open(p.Object, v.Clock.Now())
	if !unknown {
		return nil
	}
	conn, known, err := v.connection()
	if err != nil {
		return err
	}
	known.Suspect()
	known.Reserve(marker.Digest, p.Object.UID) // it stays so when the object is deleted, and declared again
	settled := seen.Add(settleTime)
	if wait := settled.Sub(v.Clock.Now()); wait > 0 {
		return errUnknown.After(wait)
	}
	attempted := seen
	if stored := p.Object.Status.CreateAttempt; stored != nil && stored.StartedAt.Time.Before(seen) {
		attempted = stored.StartedAt.Time
	}
	found, err := known.Settle(ctx, conn.Client, marker, attempted, settled)
	if err != nil {
		return err
	}
	attached, err := v.attach(ctx, p, known, marker, found)
	if attached || err != nil {
		return err
	}
	v.attempts.settled(p.Object)
	known.Free(marker.Digest, p.Object.UID)
	p.Object.Status.CreateAttempt = nil
	return nil
}

// reserve keeps the subject for this object while it creates, so that two objects of one subject do not make two
// users. A reservation that outlives the settle time was left by an attempt with an unknown outcome, perhaps of an
// object that is gone by now: a listing tells what became of it. Once the subject is this object's, memory is asked
// again: another may have created it since it was asked before.
func (v *visit) reserve(ctx context.Context, p *pass, marker identity.Marker) error {
	conn, known, err := v.connection()
	if err != nil {
		return err
	}
	if held := known.Reserve(marker.Digest, p.Object.UID); held.UID != p.Object.UID {
		settled := held.Since.Add(settleTime)
		if v.Clock.Now().Before(settled) {
			return errReserved
		}
		if _, err := known.Settle(ctx, conn.Client, marker, held.Since, settled); err != nil {
			return err
		}
		known.Free(marker.Digest, held.UID)
		if known.Reserve(marker.Digest, p.Object.UID).UID != p.Object.UID {
			return errReserved
		}
	}
	found, err := known.Find(ctx, conn.Client, marker)
	if err == nil {
		_, err = v.attach(ctx, p, known, marker, found)
	}
	if err != nil {
		known.Free(marker.Digest, p.Object.UID)
	}
	return err
}

// writeIntent stores that this object is about to be created, or stores the same again after an attempt that is
// known to have created nothing. Either way it fails unless the object is exactly as it was read.
func (v *visit) writeIntent(ctx context.Context, p *pass) error {
	if p.Object.Status.CreateAttempt == nil {
		p.Object.Status.CreateAttempt = &v1alpha1.CreateAttempt{
			ID: string(uuid.NewUUID()), StartedAt: metav1.NewTime(v.Clock.Now()),
		}
	}
	return p.WriteIntent(ctx)
}

// mirrored is a created user as listings show it, whether or not the answer told its marker.
func mirrored(created smile.User, marker identity.Marker) smile.User {
	created.ExternalMetadata = map[string]string{v1alpha1.MetadataOwner: marker.String()}
	return created
}

func metadata(user *v1alpha1.SmileUser, marker identity.Marker) map[string]string {
	pairs := map[string]string{}
	for key, value := range user.Spec.ExternalMetadata {
		pairs[key] = string(value)
	}
	pairs[v1alpha1.MetadataOwner] = marker.String()
	return pairs
}
