// Package problem classifies errors: five classes, which decide how an object shows an error and when it is retried, and the
// table that finds the class of an error.
package problem

import (
	"errors"
	"time"
)

// Class is the class of a problem. It decides how the problem is shown and when it is retried.
type Class int

// The classes.
const (
	// Transient problems end by themselves: retried with backoff, shown after the third in a row.
	Transient Class = iota
	// Throttled means that the call budget of the operator or of Smile is used up: retried when there is budget, never shown.
	Throttled
	// NotReady means that something this object depends on is absent or not ready yet.
	NotReady
	// Denied means that Smile refuses the key pair.
	Denied
	// Invalid means that only a change of a spec, a Secret or another object helps.
	Invalid
)

// Problem is an error with everything that its condition needs. Reason is one of the reasons in package api. Message is
// shown to users, and stays the same while the problem lasts: no ids, times, counters or remote text.
type Problem struct {
	Class   Class
	Reason  string
	Message string
	// Condition that shows the problem; if empty, the one of the phase that failed.
	Condition string
	// RetryAfter is when to try again; 0 means the default of the class.
	RetryAfter time.Duration
	// Ordinary problems occur in every start, such as a user that does not exist yet. They are no event if the object was not
	// ready before.
	Ordinary bool
	// AtOnce problems are shown at the first failure, whatever their class.
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

// After returns a copy that is retried after another duration.
func (p *Problem) After(d time.Duration) *Problem {
	changed := *p
	changed.RetryAfter = d
	return &changed
}

// On returns a copy that another condition shows.
func (p *Problem) On(condition string) *Problem {
	changed := *p
	changed.Condition = condition
	return &changed
}

// Because returns a copy with a cause, for logs.
func (p *Problem) Because(err error) *Problem {
	changed := *p
	changed.Cause = err
	return &changed
}

// NewInvalid returns a problem that only a change can fix.
func NewInvalid(reason, message string) *Problem {
	return &Problem{Class: Invalid, Reason: reason, Message: message}
}

// NewNotReady returns the problem that something is missing that the object depends on.
func NewNotReady(reason, message string) *Problem {
	return &Problem{Class: NotReady, Reason: reason, Message: message}
}

// NewWaiting returns the ordinary problem that something is missing that the object depends on, as during a start.
func NewWaiting(reason, message string) *Problem {
	return &Problem{Class: NotReady, Reason: reason, Message: message, Ordinary: true}
}

// NewTransient returns a problem that ends by itself.
func NewTransient(reason, message string) *Problem {
	return &Problem{Class: Transient, Reason: reason, Message: message}
}

// Is reports whether err is, or wraps, a problem with this reason.
func Is(err error, reason string) bool {
	var p *Problem
	return errors.As(err, &p) && p.Reason == reason
}
