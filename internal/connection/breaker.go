package connection

import (
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

const (
	// probeInterval is how often a refused key pair is probed again while its Secret stays the same.
	probeInterval = 15 * time.Minute
	// probeTrust is for how long after a successful probe a call that is forbidden does not cause another probe. Usually the
	// reason is the object that the call names, not the pair.
	probeTrust = time.Minute
)

// breaker stops the use of a refused key pair. After one refusal that one probe confirms, nothing is sent except a probe every
// 15 minutes.
type breaker struct {
	clock clock.PassiveClock

	mu sync.Mutex
	// open is true while the pair is refused, and checking while a probe is under way.
	open     bool
	checking bool
	// wrong is true once a token has shown that the pair is of the other mode.
	wrong       bool
	succeededAt time.Time
	probeAt     time.Time
}

var (
	errDenied = problem.NewNotReady(v1alpha1.ReasonConnectionNotReady,
		"Smile refuses the key pair of the connection: no calls are made until its credentials Secret is fixed").
		On(v1alpha1.ConditionConnectionReady)
	errWrongMode = problem.NewNotReady(v1alpha1.ReasonConnectionNotReady,
		"the key pair of the connection belongs to the other mode: no calls are made until its credentials Secret is fixed").
		On(v1alpha1.ConditionConnectionReady)
	// errUnchecked ends with the connection's first Ready condition, which wakes all objects that wait. Nothing is written for
	// them before.
	errUnchecked = &problem.Problem{
		Class: problem.Throttled, Reason: v1alpha1.ReasonThrottled,
		Message: "the connection is being checked for the first time",
	}
	errChecking = &problem.Problem{
		Class: problem.Throttled, Reason: v1alpha1.ReasonThrottled, RetryAfter: time.Second,
		Message: "the key pair of the connection is being checked",
	}
)

// refusal is why an ordinary call must not be sent; nil if it may.
func (b *breaker) refusal() error {
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

// startProbe is called after a refusal. If it returns true, the caller must probe the pair, and nothing else is sent meanwhile.
func (b *breaker) startProbe(forbidden bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	trusted := forbidden && !b.succeededAt.IsZero() && b.clock.Since(b.succeededAt) < probeTrust
	if b.open || b.checking || trusted {
		return false
	}
	b.checking = true
	return true
}

// probeDue reports whether the pair may be probed: it is not refused, or the last probe was long enough ago.
func (b *breaker) probeDue() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.open || !b.clock.Now().Before(b.probeAt)
}

// probed records the result of a probe.
func (b *breaker) probed(denied, succeeded bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.checking = false
	if denied {
		b.open, b.probeAt = true, b.clock.Now().Add(probeInterval)
	}
	if succeeded {
		b.open, b.succeededAt = false, b.clock.Now()
	}
}

func (b *breaker) denied() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// setWrongMode records that the pair is of the other mode. That never changes.
func (b *breaker) setWrongMode() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = true
}

func (b *breaker) wrongMode() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wrong
}
