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
	// revokeLimit is how many revokes a connection may make within revokeWindow without an approval.
	revokeLimit  = 20
	revokeWindow = 10 * time.Minute
	// approvalLasts is for how long an approval is valid.
	approvalLasts = 10 * time.Minute
)

var errPaused = problem.NewNotReady(v1alpha1.ReasonRevokesPaused, fmt.Sprintf(
	"more than %d revokes were requested on the SmileConnection within %d minutes, and revokes cannot be undone: "+
		"to permit those that wait, set its annotation %s to a new value",
	revokeLimit, int(revokeWindow.Minutes()), v1alpha1.AnnotationApproveRevokes)).After(5 * time.Minute)

// revokeLimiter pauses the revokes of a connection if many are requested at once, for example because a namespace was deleted
// by mistake. Then no revoke is sent until somebody approves, because none can be undone.
type revokeLimiter struct {
	clock clock.PassiveClock
	// changed is called when the limiter has paused.
	changed func()
	// declared limits the revokes that specs ask for, which are counted separately.
	declared *declaredLimiter

	mu sync.Mutex
	// taken are the times of the revokes within revokeWindow.
	taken  []time.Time
	paused bool
	// approvedUntil is the end of the last approval.
	approvedUntil time.Time
}

// take permits one revoke, or returns errPaused.
func (l *revokeLimiter) take() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	switch {
	case l.paused:
		return errPaused
	case now.Before(l.approvedUntil):
		return nil
	}
	l.taken = slices.DeleteFunc(l.taken, func(at time.Time) bool { return now.Sub(at) >= revokeWindow })
	if len(l.taken) >= revokeLimit {
		l.paused = true
		l.changed()
		return errPaused
	}
	l.taken = append(l.taken, now)
	return nil
}

// giveBack returns what was taken for a revoke that was not sent.
func (l *revokeLimiter) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.taken) > 0 {
		l.taken = l.taken[:len(l.taken)-1]
	}
}

// approve permits the revokes that wait. If none waits, it permits nothing in advance.
func (l *revokeLimiter) approve() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused {
		l.paused, l.taken, l.approvedUntil = false, nil, l.clock.Now().Add(approvalLasts)
	}
}

// waiting returns errPaused while revokes wait for an approval.
func (l *revokeLimiter) waiting() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused {
		return errPaused
	}
	return nil
}

// limiterOf returns the revoke limiter of a connection. It outlives the connection, and is paused if an earlier process left it
// paused.
func (r *Registry) limiterOf(obj *v1alpha1.SmileConnection) *revokeLimiter {
	name := types.NamespacedName{Namespace: obj.Namespace, Name: obj.Name}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.limiters[name]
	if l == nil {
		changed := func() { r.wake(name) }
		allowed := meta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionRevokesAllowed)
		l = &revokeLimiter{
			clock: r.config.Clock, changed: changed, paused: allowed != nil && allowed.Reason == v1alpha1.ReasonRevokesPaused,
			declared: &declaredLimiter{
				clock: r.config.Clock, changed: changed,
				before: func(ctx context.Context) ([]time.Time, error) { return r.releases(ctx, name) },
			},
		}
		r.limiters[name] = l
	}
	l.declared.limit(revokesPerDay(obj))
	return l
}

// ApproveRevokes permits the revokes of a connection that wait, if any.
func (r *Registry) ApproveRevokes(obj *v1alpha1.SmileConnection) { r.limiterOf(obj).approve() }

// RevokesPaused is the problem of a connection whose revokes wait for an approval; nil if none waits.
func (r *Registry) RevokesPaused(obj *v1alpha1.SmileConnection) error {
	return r.limiterOf(obj).waiting()
}

// RevokesPaused is the problem of a connection whose revokes wait for an approval; nil if none waits. It takes nothing from the
// limiter.
func (c *Connection) RevokesPaused() error { return c.limiter.waiting() }
