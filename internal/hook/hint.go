package hook

import "time"

const (
	// Pause is how far apart the looks are that events ask for that can wait.
	Pause = 5 * time.Second
	// Slack is how far the clocks of two receivers may be apart: a look that one of them sees coming within it may have
	// begun already.
	Slack = time.Second
)

// Hint says from when on a person is to be looked at after an event at now, given what is stored about earlier events
// (zero for nothing); store is false when what is stored will do. The time asked for is never before now, so that each
// event is followed by a look that begins after it.
//
// Urgent events ask for now. Others ask for now once, then again Pause after that (so that the last of a burst is seen
// too), and for nothing while that is surely still to come. Times are in whole microseconds, as they are stored, and what is
// stored always changes.
func Hint(stored, now time.Time, urgent bool) (at time.Time, store bool) {
	now = roundUp(now)
	ahead := stored.Sub(now)
	switch {
	case urgent && ahead == 0:
		return now.Add(time.Microsecond), true
	case urgent, ahead > Pause+Slack: // nobody asks for more than that, except by a clock that was wrong
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
