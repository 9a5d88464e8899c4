package connection

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/problem"
)

const (
	// defaultRevokesPerDay is how many declared revokes a connection makes in 24 hours if its spec names no limit.
	defaultRevokesPerDay = 5000
	// declaredWindow is for how long a revoke counts, and declaredStep the precision of its time.
	declaredWindow = 24 * time.Hour
	declaredStep   = time.Minute
	// declaredRetry is the longest time until a revoke that waits for the limit is retried.
	declaredRetry = 5 * time.Minute
	// declaredRoom: one in so many of the limit must be free before the connection stops showing that the limit was reached.
	// Otherwise its condition would change with each revoke.
	declaredRoom = 20
)

var errRevokeLimit = problem.NewNotReady(v1alpha1.ReasonRevokeLimitReached,
	"the number of accounts revoked in 24 hours has reached spec.revokes.perDay of the SmileConnection: "+
		"the others are revoked when the limit permits it; to revoke them sooner, raise spec.revokes.perDay")

// declaredLimiter limits the revokes of a connection that specs ask for by spec.revokeAfterFetch. They are intended, so none
// waits for an approval. It counts them by minute.
type declaredLimiter struct {
	clock clock.PassiveClock
	// before returns when the revokes of the last 24 hours were made, as the statuses of objects show. It is called once.
	before func(context.Context) ([]time.Time, error)
	// changed is called when reached has changed.
	changed func()

	mu     sync.Mutex
	perDay int
	// reached is whether the connection shows that the limit was reached.
	reached bool
	// counted is true once made contains the result of before.
	counted bool
	// made is how many revokes were made, by minute.
	made map[int64]int
}

func revokesPerDay(obj *v1alpha1.SmileConnection) int {
	if obj.Spec.Revokes != nil && obj.Spec.Revokes.PerDay > 0 {
		return int(obj.Spec.Revokes.PerDay)
	}
	return defaultRevokesPerDay
}

func minuteOf(at time.Time) int64 { return at.Unix() / int64(declaredStep/time.Second) }

// limit sets how many revokes are made in 24 hours.
func (d *declaredLimiter) limit(perDay int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.perDay = perDay
}

// take permits one revoke, or returns why it must wait.
func (d *declaredLimiter) take(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.count(ctx); err != nil {
		return err
	}
	now := d.clock.Now()
	if d.full(now) {
		return errRevokeLimit.After(d.untilRoom(now))
	}
	d.made[minuteOf(now)]++
	return nil
}

// count adds the revokes of earlier processes.
func (d *declaredLimiter) count(ctx context.Context) error {
	if d.counted {
		return nil
	}
	before, err := d.before(ctx)
	if err != nil {
		return err
	}
	d.made, d.counted = map[int64]int{}, true
	for _, at := range before {
		d.made[minuteOf(at)]++
	}
	return nil
}

// full reports whether no more revokes may be made now.
func (d *declaredLimiter) full(now time.Time) bool {
	made, oldest := 0, minuteOf(now.Add(-declaredWindow))
	for minute, n := range d.made {
		if minute < oldest {
			delete(d.made, minute)
		} else {
			made += n
		}
	}
	full := made >= d.perDay
	if full || made <= d.perDay-max(1, d.perDay/declaredRoom) {
		d.show(full)
	}
	return full
}

func (d *declaredLimiter) show(reached bool) {
	if d.reached != reached {
		d.reached = reached
		d.changed()
	}
}

// untilRoom is how long the oldest revoke still counts, within the bounds of a retry.
func (d *declaredLimiter) untilRoom(now time.Time) time.Duration {
	first := minuteOf(now)
	for minute := range d.made {
		first = min(first, minute)
	}
	ends := time.Unix((first+1)*int64(declaredStep/time.Second), 0).Add(declaredWindow)
	return engine.Jitter(min(max(ends.Sub(now), declaredStep), declaredRetry))
}

// giveBack returns what was taken for a revoke that was not sent.
func (d *declaredLimiter) giveBack() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := minuteOf(d.clock.Now())
	for _, minute := range []int64{now, now - 1} {
		if d.made[minute] > 0 {
			d.made[minute]--
			return
		}
	}
}

// waiting is why the next revoke would have to wait; nil if it need not.
func (d *declaredLimiter) waiting(ctx context.Context) *problem.Problem {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.count(ctx); err != nil {
		return nil // take returns it
	}
	if now := d.clock.Now(); d.full(now) {
		return errRevokeLimit.After(d.untilRoom(now))
	}
	return nil
}

// shown is the problem that the connection shows while declared revokes wait; nil if it shows none.
func (d *declaredLimiter) shown(ctx context.Context) *problem.Problem {
	limit := d.waiting(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if limit == nil && d.reached {
		return errRevokeLimit
	}
	return limit
}

// releases returns when accounts of a connection's users were released in the last 24 hours. The status of an object shows a
// release before the call is sent, so a restart forgets only the releases of objects that were deleted.
func (r *Registry) releases(ctx context.Context, of client.ObjectKey) ([]time.Time, error) {
	var users v1alpha1.SmileUserList
	if err := r.config.Connections.List(ctx, &users, client.InNamespace(of.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing the users of a connection: %w", err)
	}
	ours := map[string]bool{}
	for i := range users.Items {
		ours[users.Items[i].Name] = users.Items[i].Spec.ConnectionRef.Name == of.Name
	}
	var syncs v1alpha1.SmileAccountSyncList
	if err := r.config.Connections.List(ctx, &syncs, client.InNamespace(of.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing the account syncs of a connection: %w", err)
	}
	var released []time.Time
	since := r.config.Clock.Now().Add(-declaredWindow)
	for i := range syncs.Items {
		for _, account := range syncs.Items[i].Status.Accounts {
			isOurs, exists := ours[syncs.Items[i].Spec.UserRef.Name]
			if (isOurs || !exists) && account.ReleasedAt != nil && account.ReleasedAt.After(since) {
				released = append(released, account.ReleasedAt.Time)
			}
		}
	}
	return released, nil
}

// RevokeLimitReached is the problem that a connection shows while its declared revokes wait; nil if it shows none.
func (r *Registry) RevokeLimitReached(ctx context.Context, obj *v1alpha1.SmileConnection) *problem.Problem {
	return r.limiterOf(obj).declared.shown(ctx)
}

// RevokeLimitReached is why the next declared revoke would have to wait; nil if it need not. It takes nothing from the limit.
func (c *Connection) RevokeLimitReached(ctx context.Context) *problem.Problem {
	return c.limiter.declared.waiting(ctx)
}
