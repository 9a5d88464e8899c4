package sandbox

import (
	"sync/atomic"
	"time"
)

// clock is the wall clock plus what the sandbox was told to skip. Everything
// that a client can observe follows it; call rates are measured on the wall.
type clock struct {
	wall    func() time.Time
	skipped atomic.Int64
}

func (c *clock) now() time.Time {
	return c.wall().Add(time.Duration(c.skipped.Load())).UTC()
}

func (c *clock) advance(d time.Duration) { c.skipped.Add(int64(d)) }

func (c *clock) reset() { c.skipped.Store(0) }

// Timestamp is an instant as the API writes it: UTC, in whole seconds.
type Timestamp struct{ time.Time }

const timestampLayout = "2006-01-02T15:04:05Z"

// MarshalJSON writes yyyy-MM-ddTHH:mm:ssZ.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"` + timestampLayout + `"`)), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Timestamp) UnmarshalJSON(text []byte) error {
	parsed, err := time.Parse(`"`+timestampLayout+`"`, string(text))
	t.Time = parsed
	return err
}

// day is the UTC calendar day of an instant, yyyy-MM-dd.
func day(at time.Time) string { return at.UTC().Format(time.DateOnly) }
