package connection

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

const (
	// brakeLimit is how many revokes a connection may make within brakeWindow before a person is asked.
	brakeLimit  = 20
	brakeWindow = 10 * time.Minute
	// approved is how long an approval lasts.
	approved = 10 * time.Minute
)

var errPaused = problem.NewNotReady(v1alpha1.ReasonRevokesPaused, fmt.Sprintf(
	"more than %d revokes within %d minutes were asked of the SmileConnection, and none can be undone: "+
		"to let go what waits, set its annotation %s to a new value",
	brakeLimit, int(brakeWindow.Minutes()), v1alpha1.AnnotationApproveRevokes)).After(5 * time.Minute)

// brake stops the revokes of a connection when there are suddenly many, as when somebody deletes a namespace by
// mistake. From then on none goes until a person approves: at any pace, what is done cannot be undone.
type brake struct {
	clock clock.PassiveClock
	// told is called when it has stopped.
	told func()
	// declared limits the revokes that specs ask for, which are counted separately.
	declared *declaredRevokes

	mu        sync.Mutex
	taken     []time.Time
	stopped   bool
	openUntil time.Time
}

// take lets one revoke go, or says why not.
func (b *brake) take() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	switch {
	case b.stopped:
		return errPaused
	case now.Before(b.openUntil):
		return nil
	}
	b.taken = slices.DeleteFunc(b.taken, func(at time.Time) bool { return now.Sub(at) >= brakeWindow })
	if len(b.taken) >= brakeLimit {
		b.stopped = true
		b.told()
		return errPaused
	}
	b.taken = append(b.taken, now)
	return nil
}

// giveBack returns what was taken for a revoke that was not sent.
func (b *brake) giveBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.taken) > 0 {
		b.taken = b.taken[:len(b.taken)-1]
	}
}

// approve lets go what waits. When nothing does, it lets go nothing in advance.
func (b *brake) approve() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		b.stopped, b.taken, b.openUntil = false, nil, b.clock.Now().Add(approved)
	}
}

func (b *brake) paused() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return errPaused
	}
	return nil
}

// brake gives the brake of a connection, which outlives the connection and is found stopped when an earlier process
// has left it so.
func (r *Registry) brake(obj *v1alpha1.SmileConnection) *brake {
	name := types.NamespacedName{Namespace: obj.Namespace, Name: obj.Name}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.brakes[name]
	if b == nil {
		tell := func() { r.tell(name) }
		allowed := meta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionRevokesAllowed)
		b = &brake{
			clock: r.config.Clock, told: tell, stopped: allowed != nil && allowed.Reason == v1alpha1.ReasonRevokesPaused,
			declared: &declaredRevokes{
				clock: r.config.Clock, told: tell,
				before: func(ctx context.Context) ([]time.Time, error) { return r.releases(ctx, name) },
			},
		}
		r.brakes[name] = b
	}
	b.declared.limit(revokesPerDay(obj))
	return b
}

// ApproveRevokes lets go the revokes of a connection that wait, if any.
func (r *Registry) ApproveRevokes(obj *v1alpha1.SmileConnection) { r.brake(obj).approve() }

// RevokesPaused tells why the revokes of a connection wait; nil when they do not.
func (r *Registry) RevokesPaused(obj *v1alpha1.SmileConnection) error { return r.brake(obj).paused() }

// TakeRevoke is asked before each revoke of an account or archive that the deletion of an object causes. Nil means that this
// one may go; otherwise it is a problem that says what to do.
func (c *Connection) TakeRevoke() error { return c.brake.take() }

// ReturnRevoke gives back what was taken for a revoke that was not sent.
func (c *Connection) ReturnRevoke() { c.brake.giveBack() }

// RevokesPaused tells why revokes wait, without asking for one; nil when they do not.
func (c *Connection) RevokesPaused() error { return c.brake.paused() }
