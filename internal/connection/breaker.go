package connection

import (
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

const (
	// probeInterval is how often a refused key pair is tried again while its Secret stays the same.
	probeInterval = 15 * time.Minute
	// probeTrust is how long a passed probe speaks for the pair when a call is forbidden, which is as a rule the fault
	// of what the call names.
	probeTrust = time.Minute
)

// breaker keeps a refused key pair from being used: after one refusal, confirmed by one probe, nothing leaves but
// a probe every 15 minutes.
type breaker struct {
	clock clock.PassiveClock

	mu       sync.Mutex
	open     bool
	checking bool
	wrong    bool
	passedAt time.Time
	probeAt  time.Time
}

var (
	errDenied = problem.NewNotReady(v1alpha1.ReasonConnectionNotReady,
		"Smile refuses the key pair of the connection: nothing is called until its credentials Secret is mended").
		On(v1alpha1.ConditionConnectionReady)
	errWrongMode = problem.NewNotReady(v1alpha1.ReasonConnectionNotReady,
		"the key pair of the connection belongs to the other mode: nothing is called until its credentials Secret is mended").
		On(v1alpha1.ConditionConnectionReady)
	// errUnchecked ends with the connection's first Ready condition, which wakes all that wait: nothing is written for them
	// before.
	errUnchecked = &problem.Problem{
		Class: problem.Throttled, Reason: v1alpha1.ReasonThrottled,
		Message: "the connection is being checked for the first time",
	}
	errChecking = &problem.Problem{
		Class: problem.Throttled, Reason: v1alpha1.ReasonThrottled, RetryAfter: time.Second,
		Message: "the key pair of the connection is being checked",
	}
)

// pass says whether an ordinary call may leave.
func (b *breaker) pass() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.wrong:
		return errWrongMode
	case b.open:
		return errDenied
	case b.checking:
		return errChecking
	default:
		return nil
	}
}

// suspect is told of a refusal. It says whether the caller is the one to probe; meanwhile nothing else leaves.
func (b *breaker) suspect(forbidden bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	trusted := forbidden && !b.passedAt.IsZero() && b.clock.Since(b.passedAt) < probeTrust
	if b.open || b.checking || trusted {
		return false
	}
	b.checking = true
	return true
}

// due says whether a pair that was refused may be probed again.
func (b *breaker) due() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.open || !b.clock.Now().Before(b.probeAt)
}

// probed is told how a probe ended.
func (b *breaker) probed(denied, passed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.checking = false
	if denied {
		b.open, b.probeAt = true, b.clock.Now().Add(probeInterval)
	}
	if passed {
		b.open, b.passedAt = false, b.clock.Now()
	}
}

func (b *breaker) denied() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// condemn marks the pair as one of the other mode, for as long as it lives.
func (b *breaker) condemn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = true
}

func (b *breaker) condemned() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wrong
}
