package transport

import (
	"context"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// pace is the planned distance of two calls, in units of 1/limit. At exactly 1,
	// what jitter compresses exceeds the limit now and then.
	pace = 1.02
	// closest is the least distance of two calls: a call that started late does not
	// pull the next one closer than this.
	closest = 1.01
	// patience is how long a pause is waited for. During a longer one calls fail at
	// once, lest they occupy those who would make them.
	patience = 5 * time.Second
	// defaultPause is how long a server that says "too many" without saying for how
	// long is left alone.
	defaultPause = time.Second
)

// Budget paces the calls to one API host, for the whole process. The zero Budget
// is not usable.
type Budget struct {
	limit    float64
	interval time.Duration
	minimum  time.Duration
	// turn holds a token while somebody waits for the next slot: those behind queue
	// for the token, first come first served.
	turn chan struct{}

	mu sync.Mutex
	// next is when the next call is due.
	next time.Time
	// resume is when the last pause ends.
	resume time.Time
}

// NewBudget returns a budget of so many calls a second; 0 is no limit.
func NewBudget(requestsPerSecond float64) *Budget {
	b := &Budget{limit: requestsPerSecond, turn: make(chan struct{}, 1)}
	if requestsPerSecond > 0 {
		unit := float64(time.Second) / requestsPerSecond
		b.interval, b.minimum = time.Duration(pace*unit), time.Duration(closest*unit)
	}
	return b
}

// RequestsPerSecond returns the limit; 0 is none.
func (b *Budget) RequestsPerSecond() float64 { return b.limit }

// Wait returns when a call may be sent, or the context's error, or, during a pause
// of more than 5 s, a *smile.PausedError. Slots that nobody took are gone: there is
// no catching up.
func (b *Budget) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		wait, err := b.take()
		if err != nil || wait <= 0 {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// take takes the slot that is due, or returns how long there is none.
func (b *Budget) take() (time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if pause := b.resume.Sub(now); pause > patience {
		return 0, &smile.PausedError{RetryAfter: pause}
	}
	due := later(b.next, b.resume)
	if wait := due.Sub(now); wait > 0 {
		return wait, nil
	}
	b.next = later(due.Add(b.interval), now.Add(b.minimum))
	return 0, nil
}

// Pause lets no call out for some time: 1 s when 0.
func (b *Budget) Pause(duration time.Duration) {
	if duration <= 0 {
		duration = defaultPause
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.resume = later(b.resume, time.Now().Add(duration))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func sleep(ctx context.Context, duration time.Duration) error {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// BudgetSet holds one Budget per API host.
type BudgetSet struct {
	limit float64

	mu      sync.Mutex
	budgets map[string]*Budget
}

// NewBudgetSet returns a set whose budgets are each of so many calls a second; 0 is
// no limit.
func NewBudgetSet(requestsPerSecond float64) *BudgetSet {
	return &BudgetSet{limit: requestsPerSecond, budgets: map[string]*Budget{}}
}

// For returns the budget of a host, always the same one. The host is best written
// as HostPort gives it.
func (s *BudgetSet) For(host string) *Budget {
	s.mu.Lock()
	defer s.mu.Unlock()
	budget, ok := s.budgets[host]
	if !ok {
		budget = NewBudget(s.limit)
		s.budgets[host] = budget
	}
	return budget
}
