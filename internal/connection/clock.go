package connection

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

const (
	// noticedSkew is the difference between two clocks above which it is reported, and settledSkew the one at which it is no
	// longer reported.
	noticedSkew = 30 * time.Second
	settledSkew = 25 * time.Second
	// tolerableSkew is the largest difference with which the local clock decides that something has expired.
	tolerableSkew = 10 * time.Minute
	// askTimeEvery is the shortest time between two requests for the time of an API host.
	askTimeEvery = 30 * time.Second
)

// Skew is the difference between the clock of this process and one of Smile's.
type Skew struct{ transport.Skew }

// Noticed reports whether the clocks differ by more than 30 s; or by more than 25 s if before is true, because a Date has only
// whole seconds.
func (s Skew) Noticed(before bool) bool {
	limit := noticedSkew
	if before {
		limit = settledSkew
	}
	return s.Known && s.Ahead.Abs() > limit
}

// Confirmed reports whether the local clock may decide that something has expired: a response of Smile has shown the time since
// the process started, and the clocks differ by 10 min at most.
func (s Skew) Confirmed() bool { return s.Known && !s.Excessive() }

// Excessive reports whether the clocks are known to differ by more than 10 min.
func (s Skew) Excessive() bool { return s.Known && s.Ahead.Abs() > tolerableSkew }

// Skew of the connection's API host.
func (c *Connection) Skew() Skew { return c.session.skew() }

func (s *session) skew() Skew { return Skew{s.clocks.Of(s.host)} }

var errAskingTime = &problem.Problem{
	Class: problem.Throttled, Reason: v1alpha1.ReasonThrottled, RetryAfter: 2 * time.Second,
	Message: "Smile's time is being requested",
}

// AskTime makes one cheap call unless a response of the API host has shown its time before. It returns an error while another
// caller makes that call. After a failed call, it makes none for 30 s.
func (c *Connection) AskTime(ctx context.Context) error {
	s := c.session
	if !s.timing.TryLock() {
		return errAskingTime
	}
	defer s.timing.Unlock()
	now := s.breaker.clock.Now()
	if s.skew().Known || now.Sub(s.timeAsked).Abs() < askTimeEvery {
		return nil
	}
	s.timeAsked = now
	return c.Client.Probe(smile.WithLane(ctx, smile.LaneRefresh))
}

// SkewOf is the skew of the API host of a connection. If this process does not use the connection, because it was deleted or is
// suspended, it is the greatest skew of all hosts that have responded.
func (r *Registry) SkewOf(namespace string, ref v1alpha1.ConnectionReference) Skew {
	if conn := r.present(types.NamespacedName{Namespace: namespace, Name: ref.Name}); conn != nil {
		return conn.Skew()
	}
	return r.Skew()
}

// Skew is the greatest skew of all API hosts that have responded.
func (r *Registry) Skew() Skew {
	_, greatest := r.clocks.Range()
	return Skew{greatest}
}

// Today returns the time by the clocks of the API hosts that have responded. confirmed is whether all of them confirm it.
func (r *Registry) Today() (now time.Time, confirmed bool) {
	least, greatest := r.clocks.Range()
	return r.config.Clock.Now().Add(-least.Ahead), Skew{greatest}.Confirmed()
}
