package server

import (
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// between tells whether a day or month lies in a range, its ends included. An
// empty end is open.
func between(on, start, end string) bool {
	return (start == "" || on >= start) && (end == "" || on <= end)
}

// during is between for the day of an instant, in the zone of the quirk.
func (c *call) during(at time.Time, start, end string) bool {
	return start == "" && end == "" || between(wire.Day(at.Add(c.box.behaviour.Zone())), start, end)
}

// matches tells whether a value is the wanted one, if one is wanted.
func matches(value, wanted string) bool { return wanted == "" || value == wanted }
