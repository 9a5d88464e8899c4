package hook

import "time"

const (
	// Pause is the time between two reads that were requested by events that are not urgent.
	Pause = 5 * time.Second
	// Slack is by how much the clocks of two receivers may differ. A read that one of them expects within this time may have
	// begun already.
	Slack = time.Second
)

// Hint returns the time from which a user must be read after an event at now. stored is the time that earlier events have
// requested; zero if none has. store is false if that suffices. The returned time is never before now, so a read that begins
// after the event follows each event.
//
// An urgent event requests now. Another event requests now or, if a read was requested within the last Pause, Pause after that
// one, so that a burst costs two reads. While that read certainly lies ahead, an event requests nothing. Times are whole
// microseconds, as they are stored, and a stored time always differs from the one before.
func Hint(stored, now time.Time, urgent bool) (at time.Time, store bool) {
	now = roundUp(now)
	ahead := stored.Sub(now)
	switch {
	case urgent && ahead == 0:
		return now.Add(time.Microsecond), true
	case urgent, ahead > Pause+Slack: // a later time is from a clock that was wrong
		return now, true
	case ahead >= Slack:
		return stored, false
	case ahead > -Pause:
		return stored.Add(Pause), true
	default:
		return now, true
	}
}

func roundUp(t time.Time) time.Time {
	if whole := t.Truncate(time.Microsecond); whole.Before(t) {
		return whole.Add(time.Microsecond)
	}
	return t.Truncate(time.Microsecond)
}
