package creation

import (
	"context"
	"time"

	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// settleOwn finds the outcome of an earlier attempt of the owner, if it is unknown.
func (c *creation) settleOwn(ctx context.Context) (attached bool, err error) {
	open, unknown := c.memory.open(c.Request, c.Clock.Now())
	if !unknown {
		return false, nil
	}
	c.mirror.SuspectDuplicate()
	// The subject stays reserved if the owner is deleted and re-created, but a retry does not extend that.
	c.memory.reserve(c.subject, c.Marker.UID, open.seen)
	attempted, settled := open.seen, open.seen.Add(smile.ListingLag)
	if c.Intent != nil {
		attempted = earlier(attempted, c.Intent.StartedAt)
		if open.call == nil {
			settled = c.Log.settledBy(c.subject, c.Intent.StartedAt, settled, c.mirror.RemoteTime)
		}
	}
	if wait := settled.Sub(c.Clock.Now()); wait > 0 {
		return false, connection.ErrOutcomeUnknown.After(wait)
	}
	found, err := c.mirror.Settle(ctx, c.Marker, attempted, settled)
	if err != nil {
		return false, err
	}
	attached, err = c.attach(ctx, found)
	if !attached && err == nil {
		c.over(c.Log.drop)
	}
	return attached, err
}

// settleInherited ensures that no earlier leader has created the subject unnoticed. That leader may have made the call for an
// owner that was deleted since, together with its intent, and listings may not show the user yet. One listing settles all
// inherited calls.
func (c *creation) settleInherited(ctx context.Context) (attached bool, err error) {
	settled, open := c.Log.mayBeOpen(c.subject, c.mirror.RemoteTime)
	if !open || !c.settledAt().Before(settled) {
		return false, nil
	}
	return c.settleBy(ctx, settled, errInherited)
}

// settleBy attaches the user if a listing that begins at settled or later shows it. Before that time it returns the problem
// waiting.
func (c *creation) settleBy(ctx context.Context, settled time.Time, waiting *problem.Problem) (attached bool, err error) {
	if wait := settled.Sub(c.Clock.Now()); wait > 0 {
		return false, waiting.After(wait)
	}
	found, err := c.mirror.Settle(ctx, c.Marker, c.Log.oldest(), settled)
	if err != nil {
		return false, err
	}
	c.recordSettled(settled)
	return c.attach(ctx, found)
}

func (c *creation) settledAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.settled[c.Conn.Account()]
}

func (c *creation) recordSettled(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settled[c.Conn.Account()] = later(c.settled[c.Conn.Account()], at)
}

// reserve reserves the subject for this owner while it creates, so that two owners of one subject do not create two users. A
// reservation that is older than smile.ListingLag was left by an attempt with an unknown outcome, perhaps of an owner that was
// deleted. A listing shows the outcome. Once the subject is reserved for this owner, the mirror is searched again, because
// another owner may have created the user since the first search.
func (c *creation) reserve(ctx context.Context) (attached bool, err error) {
	uid := c.Marker.UID
	if held := c.memory.reserve(c.subject, uid, c.Clock.Now()); held.uid != uid {
		settled := held.since.Add(smile.ListingLag)
		if c.Clock.Now().Before(settled) {
			return false, errReserved
		}
		if _, err := c.mirror.Settle(ctx, c.Marker, held.since, settled); err != nil {
			return false, err
		}
		if !c.memory.handOver(c.subject, held, uid, c.Clock.Now()) {
			return false, errReserved
		}
	}
	attached, err = c.find(ctx)
	if err != nil {
		c.free()
	}
	return attached, err
}

// settleElsewhere ensures that this process has not created the subject with another API account. That account may be of the same
// tenant, and the listings of this account may not show the user yet. It runs once the subject is reserved.
func (c *creation) settleElsewhere(ctx context.Context) (attached bool, err error) {
	ended, ok := c.memory.elsewhere(c.subject, c.Conn.Account())
	settled := ended.Add(smile.ListingLag)
	if !ok || !c.settledAt().Before(settled) {
		return false, nil
	}
	attached, err = c.settleBy(ctx, settled, errElsewhere)
	if err != nil {
		c.free()
	}
	return attached, err
}
