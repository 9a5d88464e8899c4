package sandbox

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// problem is what is wrong with a request, and where.
type problem struct{ field, text string }

// parameter is a query parameter that an operation filters by, and the rule
// for its values.
type parameter struct {
	name string
	rule rule
}

// rule says what is wrong with a value, "" if nothing is.
type rule func(value string) string

func text(string) string { return "" }

func date(value string) string {
	if _, err := time.Parse(time.DateOnly, value); err != nil {
		return "must be a date such as 2021-04-30"
	}
	return ""
}

func month(value string) string {
	if _, err := time.Parse("2006-01", value); err != nil {
		return "must be a month such as 2021-04"
	}
	return ""
}

func boolean(value string) string {
	if value != "true" && value != "false" {
		return "must be true or false"
	}
	return ""
}

func identifier(value string) string {
	if value == "" || len(value) > maxIDLength {
		return "must have 1 to " + strconv.Itoa(maxIDLength) + " characters"
	}
	return ""
}

// atMost limits the number of entries of a comma-separated list.
func atMost(n int) rule {
	return func(value string) string {
		if len(strings.Split(value, ",")) > n {
			return "must not have more than " + strconv.Itoa(n) + " entries"
		}
		return ""
	}
}

const maxIDLength = 200

// readFilters picks the parameters that the operation knows out of a query and
// checks them. A list may come as a=1,2 or as a=1&a=2. Others are ignored.
func readFilters(query url.Values, known []parameter) (url.Values, *problem) {
	filters := url.Values{}
	for _, p := range known {
		values, given := query[p.name]
		if !given {
			continue
		}
		value := strings.Join(values, ",")
		if wrong := p.rule(value); wrong != "" {
			return nil, &problem{p.name, wrong}
		}
		if value != "" {
			filters.Set(p.name, value)
		}
	}
	return filters, nil
}

func first(query url.Values, name string) (string, bool) {
	values, given := query[name]
	if !given {
		return "", false
	}
	return values[0], true
}

// between tells whether a day or month lies in a range, its ends included. An
// empty end is open.
func between(on, start, end string) bool {
	return (start == "" || on >= start) && (end == "" || on <= end)
}

// during is between for the day of an instant, in the zone of the quirk.
func (c *call) during(at time.Time, start, end string) bool {
	return start == "" && end == "" || between(wire.Day(at.Add(c.box.behaviour.zone())), start, end)
}

// matches tells whether a value is the wanted one, if one is wanted.
func matches(value, wanted string) bool { return wanted == "" || value == wanted }
