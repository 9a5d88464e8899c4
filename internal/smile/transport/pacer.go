package transport

import (
	"math"
	"time"
)

const (
	// spacing is the planned distance of two calls, in units of 1/limit. What counts is
	// when calls arrive: with 1.03, no second holds more than the limit at the server as long as the
	// calls' ways there differ by at most 30 ms.
	spacing = 1.03
	// closest is the least distance of two calls. It permits that a call that was sent late,
	// because a busy machine delays timers, is followed by the next one as planned.
	closest = 0.9
	// maxSent bounds how many departures a pacer remembers.
	maxSent = 1000
)

// departure is when a call was written to the network; until that is known, when it got its slot.
type departure struct{ at time.Time }

// pacer plans when the next call is due. With the zero pacer, it is due at once.
type pacer struct {
	next time.Time
	// sent are the last calls, oldest first: as many as the limit permits in a second. The first of them
	// and the next call are at least span apart.
	sent []*departure
	span time.Duration
}

// due is when the next call may be sent. It moves to a later time if calls are written later than their slot.
func (p *pacer) due() time.Time {
	if p.span == 0 {
		return p.next
	}
	return later(p.next, p.sent[0].at.Add(p.span))
}

// take plans the call after one that was due at a time and goes now: at a rate, which is at most the limit, both
// in calls a second. A late departure delays only the call that would share a window with it, not the plan of those in between.
func (p *pacer) take(going *departure, due, now time.Time, rate, limit float64) {
	if now.Sub(due) > units(1, rate) {
		due = now // a stall, or nobody called: those slots are gone
	}
	going.at = now
	p.next = later(due.Add(units(spacing, rate)), now.Add(units(closest, rate)))
	window := min(int(math.Ceil(limit)), maxSent)
	p.sent = append(p.sent, going)
	p.sent = p.sent[max(0, len(p.sent)-window):]
	p.span = 0
	if len(p.sent) == window {
		p.span = units(spacing*float64(window), limit)
	}
}

// units is count times the distance of two calls at a rate, rounded up.
func units(count, rate float64) time.Duration {
	return time.Duration(math.Ceil(count * float64(time.Second) / rate))
}
