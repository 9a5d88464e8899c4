package mirror

import (
	"math"
	"time"

	"k8s.io/utils/clock"
)

// moment is a point in time of this process, in little memory: nanoseconds since shortly before the process began.
type moment int64

// never is before everything that this process has seen.
const never moment = 0

func (m moment) seconds() uint32 { return uint32(time.Duration(m) / time.Second) }

// timeline converts between times and moments.
type timeline struct {
	clock clock.PassiveClock
	// started is when the process began.
	started time.Time
}

func (t timeline) moment(at time.Time) moment { return max(never, moment(at.Sub(t.started)+1)) }

func (t timeline) now() moment { return moment(t.clock.Since(t.started) + 1) }

// time is zero for never.
func (t timeline) time(at moment) time.Time {
	if at == never {
		return time.Time{}
	}
	return t.started.Add(time.Duration(at - 1))
}

// second is a point in time of Smile's clock, which shows whole seconds: Unix time; 0 if it is not known.
type second uint32

func secondOf(at time.Time) second {
	if at.IsZero() {
		return 0
	}
	return second(min(max(at.Unix(), 0), math.MaxUint32))
}

func (s second) time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}
