package validate

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Problem is what is wrong with a request, and in which field.
type Problem struct{ Field, Text string }

// Wrong makes a problem.
func Wrong(field, text string) *Problem { return &Problem{field, text} }

// Parameter is a query parameter that an operation filters by, and the rule for
// its values.
type Parameter struct {
	name string
	rule Rule
}

// Param makes a parameter.
func Param(name string, values Rule) Parameter { return Parameter{name, values} }

// Rule returns what is wrong with a value, "" if nothing is.
type Rule func(value string) string

// Any allows every value.
func Any(string) string { return "" }

// Date allows a day.
func Date(value string) string {
	if _, err := time.Parse(time.DateOnly, value); err != nil {
		return "must be a date such as 2021-04-30"
	}
	return ""
}

// Month allows a month.
func Month(value string) string {
	if _, err := time.Parse("2006-01", value); err != nil {
		return "must be a month such as 2021-04"
	}
	return ""
}

// Boolean allows true and false.
func Boolean(value string) string {
	if value != "true" && value != "false" {
		return "must be true or false"
	}
	return ""
}

// ID allows what can be an identifier.
func ID(value string) string {
	if value == "" || len(value) > MaxIDLength {
		return "must have 1 to " + strconv.Itoa(MaxIDLength) + " characters"
	}
	return ""
}

// AtMost limits the number of entries of a comma-separated list.
func AtMost(n int) Rule {
	return func(value string) string {
		if len(strings.Split(value, ",")) > n {
			return "must not have more than " + strconv.Itoa(n) + " entries"
		}
		return ""
	}
}

// MaxIDLength is the length of the longest identifier, in bytes.
const MaxIDLength = 200

// ReadFilters checks the known parameters of a query and returns them. A list may
// be a=1,2 or a=1&a=2. Other parameters are ignored.
func ReadFilters(query url.Values, known []Parameter) (url.Values, *Problem) {
	filters := url.Values{}
	for _, p := range known {
		values, given := query[p.name]
		if !given {
			continue
		}
		value := strings.Join(values, ",")
		if wrong := p.rule(value); wrong != "" {
			return nil, Wrong(p.name, wrong)
		}
		if value != "" {
			filters.Set(p.name, value)
		}
	}
	return filters, nil
}

// First returns the first value of a query parameter, and whether it is there.
func First(query url.Values, name string) (string, bool) {
	values, given := query[name]
	if !given {
		return "", false
	}
	return values[0], true
}
