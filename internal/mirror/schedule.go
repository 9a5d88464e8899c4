package mirror

import (
	"hash/fnv"
	"time"
)

// Due is a schedule at one moment: the last time it struck, zero if never, and the next, zero if never again.
type Due struct{ Last, Next time.Time }

// Or joins two schedules: whichever struck later, whichever strikes first.
func (d Due) Or(other Due) Due {
	if other.Last.After(d.Last) {
		d.Last = other.Last
	}
	if d.Next.IsZero() || !other.Next.IsZero() && other.Next.Before(d.Next) {
		d.Next = other.Next
	}
	return d
}

// Grid is the schedule of an id on the wall clock: every interval, at an offset that the id alone decides. Nothing
// needs to be remembered, a restart makes nothing due, and ids spread evenly.
func Grid(id string, interval time.Duration, now time.Time) Due {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	offset := time.Duration(h.Sum64() % uint64(interval))
	last := now.Add(-offset).Truncate(interval).Add(offset)
	return Due{Last: last, Next: last.Add(interval)}
}

const (
	firstLook = 5 * time.Second
	lastLook  = 10 * time.Minute
)

// Looks is the schedule after something happened that a person is likely to act on, such as a fresh link token or
// a login: 5, 10, 20, 40 s ... after it, for 10 min.
func Looks(after, now time.Time) Due {
	var due Due
	for wait := firstLook; wait <= lastLook; wait *= 2 {
		at := after.Add(wait)
		if at.After(now) {
			due.Next = at
			return due
		}
		due.Last = at
	}
	return due
}
