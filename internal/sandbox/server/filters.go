package server

import (
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// between reports whether a day or month is in a range, including its ends. An
// empty end is open.
func between(on, start, end string) bool {
	return (start == "" || on >= start) && (end == "" || on <= end)
}

// during is between for the day of an instant, in the zone that a quirk
// selects.
func (c *call) during(at time.Time, start, end string) bool {
	return start == "" && end == "" || between(wire.Day(at.Add(c.box.behavior.Zone())), start, end)
}

// matches reports whether a value is the wanted one. An empty one matches all.
func matches(value, wanted string) bool { return wanted == "" || value == wanted }
