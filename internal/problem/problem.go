// Package problem says what kind of trouble an error is, and how the object shows it: five classes, and the table that
// finds the class of an error.
package problem

import (
	"errors"
	"time"
)

// Class is what kind of trouble a problem is, which decides how it shows and when it is tried again.
type Class int

// The classes.
const (
	// Transient problems pass by themselves: tried again with backoff, shown after the third in a row.
	Transient Class = iota
	// Throttled means that the call budget, ours or Smile's, is spent: tried again when it is not, never shown.
	Throttled
	// NotReady means that something this object depends on is absent or not ready yet.
	NotReady
	// Denied means that Smile refuses the key pair.
	Denied
	// Invalid means that only a change of a spec, a Secret or another object helps.
	Invalid
)

// Problem is an error with all that its condition needs. Reason is one of the API's reasons; Message is shown to
// people and stays the same as long as the problem does: no ids, times, counters or remote text.
type Problem struct {
	Class   Class
	Reason  string
	Message string
	// Condition that shows the problem; the phase's own when empty.
	Condition string
	// RetryAfter is when to look again; the default of the class when 0.
	RetryAfter time.Duration
	// Ordinary problems are what every start goes through: while nothing was ready before, they are no event.
	Ordinary bool
	// AtOnce problems are shown the first time, even if their class passes unseen.
	AtOnce bool
	// Cause is for logs only.
	Cause error
}

func (p *Problem) Error() string {
	if p.Cause != nil {
		return p.Reason + ": " + p.Message + ": " + p.Cause.Error()
	}
	return p.Reason + ": " + p.Message
}

func (p *Problem) Unwrap() error { return p.Cause }

// After gives a copy with another time to look again.
func (p *Problem) After(d time.Duration) *Problem {
	changed := *p
	changed.RetryAfter = d
	return &changed
}

// On gives a copy that another condition shows.
func (p *Problem) On(condition string) *Problem {
	changed := *p
	changed.Condition = condition
	return &changed
}

// Because gives a copy with a cause, for logs.
func (p *Problem) Because(err error) *Problem {
	changed := *p
	changed.Cause = err
	return &changed
}

// NewInvalid is a problem that only a change can fix.
func NewInvalid(reason, message string) *Problem {
	return &Problem{Class: Invalid, Reason: reason, Message: message}
}

// NewNotReady is a problem of something that this object waits for.
func NewNotReady(reason, message string) *Problem {
	return &Problem{Class: NotReady, Reason: reason, Message: message}
}

// NewWaiting is a problem of something that this object waits for in the ordinary course of a start.
func NewWaiting(reason, message string) *Problem {
	return &Problem{Class: NotReady, Reason: reason, Message: message, Ordinary: true}
}

// NewTransient is a problem that passes by itself.
func NewTransient(reason, message string) *Problem {
	return &Problem{Class: Transient, Reason: reason, Message: message}
}

// Is reports whether err is, or wraps, a problem with this reason.
func Is(err error, reason string) bool {
	var p *Problem
	return errors.As(err, &p) && p.Reason == reason
}
