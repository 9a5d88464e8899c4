package creation

import (
	"context"
	"time"

	"github.com/smile-operator/smile-operator/internal/problem"
)

// settle finds the outcome of an earlier attempt of the owner, if it is unknown.
func (c *creation) settle(ctx context.Context) (attached bool, err error) {
	open, unknown := c.memory.open(c.Request, c.Clock.Now())
	if !unknown {
		return false, nil
	}
	c.known.SuspectDuplicate()
	// It stays reserved when the owner is deleted and re-created, but no longer because the owner tries again.
	c.memory.reserve(c.subject, c.Marker.UID, open.seen)
	attempted, settled := open.seen, open.seen.Add(settleTime)
	if c.Intent != nil {
		attempted = earlier(attempted, c.Intent.StartedAt)
		if open.call == nil {
			settled = c.Log.settledBy(c.subject, c.Intent.StartedAt, settled, c.known.RemoteTime)
		}
	}
	if wait := settled.Sub(c.Clock.Now()); wait > 0 {
		return false, errUnknown.After(wait)
	}
	found, err := c.known.Settle(ctx, c.Marker, attempted, settled)
	if err != nil {
		return false, err
	}
	attached, err = c.attach(ctx, found)
	if !attached && err == nil {
		c.over(c.Log.drop)
	}
	return attached, err
}

// succeed ensures that no earlier leader has created the subject unnoticed: for an owner that was since deleted together with its
// intent, by a call whose user listings do not show yet. One listing settles that for all inherited calls.
func (c *creation) succeed(ctx context.Context) (attached bool, err error) {
	settled, doubted := c.Log.doubt(c.subject, c.known.RemoteTime)
	if !doubted || !c.settledAt().Before(settled) {
		return false, nil
	}
	return c.settleBy(ctx, settled, errInherited)
}

// settleBy attaches the user if a listing that begins at settled or later shows it. It returns waiting until one may begin.
func (c *creation) settleBy(ctx context.Context, settled time.Time, waiting *problem.Problem) (attached bool, err error) {
	if wait := settled.Sub(c.Clock.Now()); wait > 0 {
		return false, waiting.After(wait)
	}
	found, err := c.known.Settle(ctx, c.Marker, c.Log.oldest(), settled)
	if err != nil {
		return false, err
	}
	c.settles(settled)
	return c.attach(ctx, found)
}

func (c *creation) settledAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.settled[c.Conn.Account()]
}

func (c *creation) settles(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settled[c.Conn.Account()] = later(c.settled[c.Conn.Account()], at)
}

// reserve keeps the subject for this owner while it creates, so that two owners of one subject do not make two users. A
// reservation that is older than the settle time was left by an attempt with an unknown outcome, perhaps of an owner that is gone
// by now: a listing shows the outcome. Once the subject is reserved for this owner, the mirror is searched again, because another
// owner may have created it since the first search.
func (c *creation) reserve(ctx context.Context) (attached bool, err error) {
	uid := c.Marker.UID
	if held := c.memory.reserve(c.subject, uid, c.Clock.Now()); held.uid != uid {
		settled := held.since.Add(settleTime)
		if c.Clock.Now().Before(settled) {
			return false, errReserved
		}
		if _, err := c.known.Settle(ctx, c.Marker, held.since, settled); err != nil {
			return false, err
		}
		if !c.memory.pass(c.subject, held, uid, c.Clock.Now()) {
			return false, errReserved
		}
	}
	attached, err = c.find(ctx)
	if err != nil {
		c.free()
	}
	return attached, err
}

// elsewhere ensures that this process has not created the subject with another API account, which may be of the same tenant: the
// listings of this account may not show the user yet. It runs once the subject is reserved.
func (c *creation) elsewhere(ctx context.Context) (attached bool, err error) {
	ended, known := c.memory.elsewhere(c.subject, c.Conn.Account())
	settled := ended.Add(settleTime)
	if !known || !c.settledAt().Before(settled) {
		return false, nil
	}
	attached, err = c.settleBy(ctx, settled, errElsewhere)
	if err != nil {
		c.free()
	}
	return attached, err
}
