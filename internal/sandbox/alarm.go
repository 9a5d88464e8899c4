package sandbox

import (
	"sync"
	"time"
)

// alarm rings when the sandbox clock reaches a time, even if nobody looks. It
// holds one time, the earliest that was set since it rang last.
type alarm struct {
	clock *clock
	ring  func()

	mu      sync.Mutex
	due     time.Time // zero while none is set
	timer   *time.Timer
	turn    int // counts the times that were set
	stopped bool
	ringing sync.WaitGroup
}

// shortest is how soon an alarm rings at the earliest, so that a wall clock
// that stands still does not keep a core busy.
const shortest = time.Millisecond

// set has the alarm ring at that time, or earlier if it is set so already.
func (a *alarm) set(due time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped || !a.due.IsZero() && !due.Before(a.due) {
		return
	}
	a.cancel()
	a.due = due
	a.turn++
	turn := a.turn
	a.ringing.Add(1)
	a.timer = time.AfterFunc(max(due.Sub(a.clock.now()), shortest), func() { a.rang(turn) })
}

// cancel forgets the time that is set. The caller holds mu.
func (a *alarm) cancel() {
	if a.timer != nil && a.timer.Stop() {
		a.ringing.Done()
	}
	a.timer, a.due = nil, time.Time{}
}

func (a *alarm) rang(turn int) {
	defer a.ringing.Done()
	a.mu.Lock()
	if turn == a.turn { // else it was set anew at this very moment
		a.timer, a.due = nil, time.Time{}
	}
	stopped := a.stopped
	a.mu.Unlock()
	if !stopped {
		a.ring()
	}
}

// stop silences the alarm for good and waits for a ring that has begun.
func (a *alarm) stop() {
	a.mu.Lock()
	a.stopped = true
	a.cancel()
	a.mu.Unlock()
	a.ringing.Wait()
}
