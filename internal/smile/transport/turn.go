package transport

import (
	"context"
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// lead is how long before its turn a caller is woken. It covers what a reconcile does before its call, such as storing an
	// intent. No more callers are present or woken than there are slots in that time.
	lead = 500 * time.Millisecond
	// calledFor is for how long a place is kept for a woken caller. A caller that comes later still goes first.
	calledFor = 10 * time.Second
	// keptFor is after how long a caller that keeps its place retries even if it was not woken.
	keptFor = 5 * time.Minute
)

// The waiting calls are in two queues. Calls whose turn is near are in waiting. The reconciles of the others have ended, and only
// their places are kept, in parked. When its turn is near, a place moves to the end of waiting, and the caller is woken. A slot
// goes to the first call whose caller is present, so no slot is lost to a caller that is late or does not come.

// Turn returns nil if a call of the context would be sent within about half a second. Then the place is kept for the caller's
// next call. Otherwise it returns a *smile.PausedError: if Kept, the caller keeps its place and is woken when its turn is near.
// Nothing is sent, and no slot is taken. Use it for steps that must come right before a call and must not be repeated. Without a
// caller in the context, or with one that has had its turn, Turn returns nil and the call waits for its slot.
func (b *Budget) Turn(ctx context.Context) error {
	w := b.waiterOf(ctx, false)
	if w.caller.Stays() {
		return ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if pause := b.resume.Sub(now); pause > patience {
		return &smile.PausedError{RetryAfter: pause}
	}
	w, err := b.admit(w, now)
	if err == nil {
		b.reserve(w, now)
	}
	b.grant(now)
	return err
}

// TurnIsNear reports whether a call of the context would be sent within about half a second. It takes no place.
func (b *Budget) TurnIsNear(ctx context.Context) bool {
	w := b.waiterOf(ctx, false)
	if w.caller != nil && w.caller.Stays() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if held := b.heldFor(w); held != nil {
		return !held.calledAt.IsZero()
	}
	return b.near(w, time.Now())
}

// waiterOf makes the waiter of a call. A place that its caller keeps at another host is given up.
func (b *Budget) waiterOf(ctx context.Context, again bool) *waiter {
	w := &waiter{
		lane: smile.LaneFrom(ctx), flow: flowOf(ctx), share: shareOf(ctx), again: again,
		caller: smile.CallerFrom(ctx), budget: b,
	}
	w.continues = w.caller != nil && w.caller.Stays()
	if held, ok := w.caller.Place().(*waiter); ok && held.budget != b {
		w.caller.Forget()
	}
	return w
}

// heldFor is the place that the caller of a call keeps, if it serves this call: it is of the same flow, and not less urgent.
func (b *Budget) heldFor(w *waiter) *waiter {
	held, ok := w.caller.Place().(*waiter)
	if !ok || held.budget != b || held.flow != w.flow || held.lane > w.lane {
		return nil
	}
	return held
}

// admit returns the place of a call in waiting: a new one, or the one that was kept for it. Otherwise the error contains when to
// retry.
func (b *Budget) admit(w *waiter, now time.Time) (*waiter, error) {
	held := b.heldFor(w)
	if held == nil {
		if other, ok := w.caller.Place().(*waiter); ok {
			b.drop(other)
			w.caller.Hold(nil)
		}
	}
	switch {
	case held == nil && (w.caller.Stays() || b.near(w, now)):
		return w, b.join(w)
	case held == nil:
		w.away = true
		b.parked.add(w)
		w.caller.Hold(w)
	case !held.calledAt.IsZero():
		b.claim(held)
		held.share = w.share
		return held, nil
	}
	w.caller.SendAway()
	return nil, &smile.PausedError{RetryAfter: keptFor, Kept: true}
}

// join puts a call into waiting. When it is full, a more urgent call takes the place of a less urgent one.
func (b *Budget) join(w *waiter) error {
	if b.waiting.size >= maxQueue {
		displaced := b.waiting.displace(w)
		if displaced == nil {
			return &smile.PausedError{RetryAfter: longestWait}
		}
		b.drop(displaced) // its caller may have been woken
		displaced.refuse(longestWait)
	}
	b.waiting.add(w)
	return nil
}

// refuse ends the wait of a call. A caller that is away still goes first when it comes.
func (w *waiter) refuse(pause time.Duration) {
	if !w.away {
		w.granted <- &smile.PausedError{RetryAfter: pause}
	}
}

// claim gives the kept place to the caller that has come. If the place was released, the caller goes first in its flow.
func (b *Budget) claim(held *waiter) {
	if i := slices.Index(b.called, held); i >= 0 {
		b.called = slices.Delete(b.called, i, i+1)
	} else {
		held.continues = true
		b.waiting.remove(held)
		b.waiting.add(held)
	}
	held.away, held.calledAt = false, time.Time{}
	held.caller.Hold(nil)
}

// reserve keeps a place in waiting for a caller that is about to come, or was woken.
func (b *Budget) reserve(w *waiter, now time.Time) {
	w.away, w.calledAt = true, now
	b.called = append(b.called, w)
	w.caller.Hold(w)
}

// near reports whether a call may wait for its slot: no caller of its flow is away for a call that is as urgent, and the slot is
// due soon.
func (b *Budget) near(w *waiter, now time.Time) bool {
	return b.parked.ofFlow(w.flow, w.lane) == 0 && b.room(w) && !b.callAt(w).After(now)
}

// room reports whether fewer calls that are at least as urgent wait than there are slots within lead.
func (b *Budget) room(w *waiter) bool {
	if limit := b.limit(); limit > 0 && b.waiting.upTo(w.lane) >= slotsIn(lead, limit*b.share) {
		return false
	}
	rate := w.share.rate()
	return rate == 0 || b.waiting.ofFlow(w.flow, w.lane) < slotsIn(lead, rate)
}

// slotsIn is how many slots there are in a time, at least one.
func slotsIn(d time.Duration, rate float64) int { return max(1, int(rate*d.Seconds())) }

// callAt is the earliest time at which a caller may be woken.
func (b *Budget) callAt(w *waiter) time.Time { return later(b.due(), w.share.ready()).Add(-lead) }

// callable is the candidate of a flow to be woken next.
func (b *Budget) callable(waiting []*waiter) (index int, due time.Time) {
	if !b.room(waiting[0]) {
		return -1, time.Time{}
	}
	return 0, b.callAt(waiting[0])
}

// call wakes callers whose turn is near, and releases the places of those that have not come.
func (b *Budget) call(now time.Time) {
	for len(b.called) > 0 && !now.Before(b.called[0].calledAt.Add(calledFor)) {
		b.waiting.remove(b.called[0])
		b.called = b.called[1:]
	}
	for {
		w := b.parked.next(now, b.callable)
		if w == nil {
			return
		}
		b.waiting.add(w)
		b.reserve(w, now)
		w.caller.Wake()
	}
}

// GiveUp implements smile.Place.
func (w *waiter) GiveUp() {
	w.budget.mu.Lock()
	defer w.budget.mu.Unlock()
	w.budget.drop(w)
	w.budget.grant(time.Now())
}

func (b *Budget) drop(w *waiter) {
	b.parked.remove(w)
	b.waiting.remove(w)
	b.called = slices.DeleteFunc(b.called, func(other *waiter) bool { return other == w })
}
