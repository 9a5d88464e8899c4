package clock

import (
	"sync"
	"time"
)

// Alarm calls a function when the clock reaches a time. It holds one time: the
// earliest that was set since it last rang.
type Alarm struct {
	clock *Clock
	ring  func()

	mu      sync.Mutex
	due     time.Time // zero while none is set
	timer   *time.Timer
	turn    int // counts the calls of Set that changed due
	stopped bool
	ringing sync.WaitGroup
}

// NewAlarm makes an alarm that calls ring.
func NewAlarm(clock *Clock, ring func()) *Alarm { return &Alarm{clock: clock, ring: ring} }

// shortest is the shortest wait for an alarm. Without it a wall clock that stands
// still would keep a core busy.
const shortest = time.Millisecond

// Set has the alarm ring at that time, or earlier if an earlier time is set.
func (a *Alarm) Set(due time.Time) {
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
	a.timer = time.AfterFunc(max(due.Sub(a.clock.Now()), shortest), func() { a.rang(turn) })
}

// cancel clears the time that is set. The caller holds mu.
func (a *Alarm) cancel() {
	if a.timer != nil && a.timer.Stop() {
		a.ringing.Done()
	}
	a.timer, a.due = nil, time.Time{}
}

func (a *Alarm) rang(turn int) {
	defer a.ringing.Done()
	a.mu.Lock()
	if turn == a.turn { // otherwise Set was called at the same moment
		a.timer, a.due = nil, time.Time{}
	}
	stopped := a.stopped
	a.mu.Unlock()
	if !stopped {
		a.ring()
	}
}

// Stop ends the alarm and waits for a call of ring that has begun.
func (a *Alarm) Stop() {
	a.mu.Lock()
	a.stopped = true
	a.cancel()
	a.mu.Unlock()
	a.ringing.Wait()
}
