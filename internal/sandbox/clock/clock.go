// Package clock is the sandbox clock: the wall clock, which can be advanced, and
// alarms on it.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock is the wall clock plus the time that was skipped. Everything that a
// client can observe follows it, except call rates, which follow the wall clock.
type Clock struct {
	wall  func() time.Time
	ahead atomic.Int64
}

// New makes a clock on a wall clock.
func New(wall func() time.Time) *Clock { return &Clock{wall: wall} }

// Now is the time on this clock, in UTC.
func (c *Clock) Now() time.Time {
	return c.wall().Add(time.Duration(c.ahead.Load())).UTC()
}

// Skipped is how far this clock is ahead of the wall clock.
func (c *Clock) Skipped() time.Duration { return time.Duration(c.ahead.Load()) }

// Advance skips time. It sets off no alarm.
func (c *Clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// Reset returns to the wall clock.
func (c *Clock) Reset() { c.ahead.Store(0) }
