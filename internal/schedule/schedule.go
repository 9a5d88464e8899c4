// Package schedule computes when recurring work is due, from the wall clock alone. Its functions are pure: nothing is remembered,
// so a restart makes nothing due.
package schedule

import (
	"hash/fnv"
	"time"
)

// Due is a schedule as of one moment.
type Due struct {
	// Last is when it was last due; zero if it never was.
	Last time.Time
	// Next is when it is due next; zero if it never is again.
	Next time.Time
}

// Or joins two schedules: the later Last and the earlier Next.
func (d Due) Or(other Due) Due {
	if other.Last.After(d.Last) {
		d.Last = other.Last
	}
	if d.Next.IsZero() || !other.Next.IsZero() && other.Next.Before(d.Next) {
		d.Next = other.Next
	}
	return d
}

// Grid is due once per interval, which must be positive, at an offset that depends only on the id. All processes compute the same
// times, and many ids spread evenly over the interval.
func Grid(id string, interval time.Duration, now time.Time) Due {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	offset := time.Duration(h.Sum64() % uint64(interval))
	last := now.Add(-offset).Truncate(interval).Add(offset)
	return Due{Last: last, Next: last.Add(interval)}
}

const (
	firstRepeat = 5 * time.Second
	lastRepeat  = 10 * time.Minute
)

// AfterActivity is due 5, 10, 20, 40 s and so on, up to 10 min, after something that a person probably acts on, such as a new
// link token or a login.
func AfterActivity(activity, now time.Time) Due {
	var due Due
	for wait := firstRepeat; wait <= lastRepeat; wait *= 2 {
		at := activity.Add(wait)
		if at.After(now) {
			due.Next = at
			return due
		}
		due.Last = at
	}
	return due
}
