package user

import (
	"context"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/identity"
)

// longestQueue is how long a call waits for its turn at most, between the intent and the sending, for what follows.
const longestQueue = time.Minute

// Succession says what a process knows of the leaders before it.
type Succession struct {
	// Sent is when one of them may last have sent a call; zero when there was none.
	Sent time.Time
	// Led is since when this process leads.
	Led time.Time
}

var errSucceeding = engine.NewWaiting(v1alpha1.ReasonProgressing,
	"another process led until a moment ago and may have created this person for an object that was deleted: "+
		"waiting until Smile's listing can tell")

// succeed makes sure that no process before this one has created the subject without a trace: for an object that was
// deleted since, and took the intent with it, by a call that listings do not show yet. One listing that is late enough
// clears it for good. An object that carries its own name as subject can only follow one that was deleted before it
// was declared, so when that was some time before this process took over, the first listing has told already.
func (v *visit) succeed(ctx context.Context, p *pass, marker identity.Marker) error {
	if v.Before == nil {
		return nil
	}
	conn, known, err := v.connection()
	if err != nil {
		return err
	}
	before := v.Before()
	settled := before.Sent.Add(settleTime)
	if _, done := v.cleared.Load(conn.Account()); done || before.Sent.IsZero() || !settled.After(before.Led) {
		return nil
	}
	if declared := p.Object.CreationTimestamp.Time; p.Object.Spec.SubjectFrom == nil &&
		declared.Add(settleTime+longestQueue).Before(before.Led) {
		return nil
	}
	if wait := settled.Sub(v.Clock.Now()); wait > 0 {
		return errSucceeding.After(wait)
	}
	found, err := known.Settle(ctx, conn.Client, marker, before.Sent, settled)
	if err != nil {
		return err
	}
	v.cleared.Store(conn.Account(), true)
	_, err = v.attach(ctx, p, known, marker, found)
	return err
}

// LastSent is when this process may last have sent a call that creates a user; zero when it never did.
func (c *Controller) LastSent() time.Time { return c.attempts.lastSent() }
