package scenario

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/traffic"
)

// subject is what an expectation counts.
type subject interface {
	name() string
	check(c *checker, at place)
	// count is how many there are that match, and what there is in all, by kind.
	count(r *Runner) (matching int, all map[string]int)
	// criteria are the fields that are set.
	criteria() []string
}

func (e *Expectation) subjects() []subject {
	var given []subject
	if e.Calls != nil {
		given = append(given, e.Calls)
	}
	if e.Deliveries != nil {
		given = append(given, e.Deliveries)
	}
	if e.Accounts != nil {
		given = append(given, e.Accounts)
	}
	return given
}

// bounds are the smallest and the largest number that fits.
func (e *Expectation) bounds() (least, most int) {
	switch {
	case e.Count != nil:
		return *e.Count, *e.Count
	case e.AtLeast == nil && e.AtMost == nil:
		return 1, math.MaxInt
	}
	most = math.MaxInt
	if e.AtLeast != nil {
		least = *e.AtLeast
	}
	if e.AtMost != nil {
		most = *e.AtMost
	}
	return least, most
}

func (e *Expectation) name() string { return "expect" }

func (e *Expectation) String() string {
	wanted := e.subjects()[0]
	least, most := e.bounds()
	number := fmt.Sprintf("from %d to %d", least, most)
	switch {
	case least == most:
		number = fmt.Sprintf("exactly %d", least)
	case most == math.MaxInt:
		number = fmt.Sprintf("at least %d", least)
	case least == 0:
		number = fmt.Sprintf("at most %d", most)
	}
	return fmt.Sprintf("expect %s, %s%s", wanted.name(), number, about(wanted.criteria()...))
}

func (e *Expectation) do(ctx context.Context, r *Runner) error {
	wanted := e.subjects()[0]
	least, most := e.bounds()
	var matching int
	var all map[string]int
	fits, err := wait(ctx, e.Within.orPatience(), func() bool {
		matching, all = wanted.count(r)
		return matching >= least && matching <= most
	})
	if err != nil || fits {
		return err
	}
	return fmt.Errorf("after %s there are %d. All %s: %s", e.Within.orPatience(), matching, wanted.name(), counts(all))
}

// counts lists what there is, by kind.
func counts(all map[string]int) string {
	if len(all) == 0 {
		return "none"
	}
	var text []string
	for _, kind := range sorted(all) {
		text = append(text, fmt.Sprintf("%d x %s", all[kind], kind))
	}
	return strings.Join(text, ", ")
}

func sorted[T any](all map[string]T) []string { return slices.Sorted(maps.Keys(all)) }

// is reports whether a value is the wanted one; the zero value is every one.
func is[T comparable](wanted, value T) bool {
	var everything T
	return wanted == everything || wanted == value
}

// isStatus is like is. -1 is a call without a response.
func isStatus(wanted, status int) bool {
	return is(wanted, cmp.Or(status, -1))
}

// tally counts values by kind, and those that match.
func tally[T any](values []T, matches func(T) bool, kind func(T) string) (matching int, all map[string]int) {
	all = map[string]int{}
	for _, value := range values {
		all[kind(value)]++
		if matches(value) {
			matching++
		}
	}
	return matching, all
}

func (w *Calls) name() string { return "calls" }

func (w *Calls) criteria() []string {
	return criteria([][2]string{
		{"operation", w.Operation}, {"method", w.Method}, {"path", w.Path}, {"status", number(w.Status)}, {"user", w.User},
	})
}

func (w *Calls) count(r *Runner) (int, map[string]int) {
	return tally(r.Sandbox.Journal(0), func(e traffic.Entry) bool {
		return is(w.Operation, e.Operation) && is(w.Method, e.Method) && is(w.Path, e.Path) && isStatus(w.Status, e.Status) &&
			is(r.users[w.User], e.UserID)
	}, func(e traffic.Entry) string {
		return fmt.Sprintf("%s %d", cmp.Or(e.Operation, e.Method+" "+e.Path), e.Status)
	})
}

func (w *Deliveries) name() string { return "deliveries" }

func (w *Deliveries) criteria() []string {
	return criteria([][2]string{
		{"event", w.Event},
		{"state", string(w.State)},
		{"user", w.User},
		{"url", w.URL},
		{"status", number(w.Status)},
		{"attempts", number(w.Attempts)},
	})
}

func (w *Deliveries) count(r *Runner) (int, map[string]int) {
	return tally(r.Sandbox.Deliveries(0), func(d delivery.Delivery) bool {
		status := 0
		if len(d.Attempts) > 0 {
			status = cmp.Or(d.Attempts[len(d.Attempts)-1].Status, -1)
		}
		return is(w.Event, d.EventType) && is(w.State, d.State) && is(w.URL, d.URL) && is(r.users[w.User], d.UserID) &&
			is(w.Status, status) && is(w.Attempts, len(d.Attempts))
	}, func(d delivery.Delivery) string { return fmt.Sprintf("%s %s", d.EventType, d.State) })
}

func (w *Accounts) name() string { return "accounts" }

func (w *Accounts) criteria() []string {
	return criteria([][2]string{
		{"user", w.User}, {"provider", w.Provider}, {"status", string(w.Status)}, {"errorCode", w.ErrorCode},
	})
}

func (w *Accounts) count(r *Runner) (int, map[string]int) {
	all, _ := r.accounts(w.User)
	matching, kinds := 0, map[string]int{}
	for _, a := range all {
		code := ""
		if a.Connection.ErrorCode != nil {
			code = *a.Connection.ErrorCode
		}
		kinds[strings.TrimSpace(fmt.Sprintf("%s %s %s", a.ProviderID, a.ConnectionStatus, code))]++
		if is(w.Provider, a.ProviderID) && is(w.Status, a.ConnectionStatus) && is(w.ErrorCode, code) {
			matching++
		}
	}
	return matching, kinds
}

// criteria are names and values, without those whose value is empty.
func criteria(pairs [][2]string) []string {
	var set []string
	for _, pair := range pairs {
		if pair[1] != "" {
			set = append(set, pair[0]+" "+pair[1])
		}
	}
	return set
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func pairs(all map[string]string) []string {
	var text []string
	for _, key := range sorted(all) {
		text = append(text, key+" "+all[key])
	}
	return text
}

// about is ": a 1, b 2", or nothing.
func about(facts ...string) string {
	if len(facts) == 0 {
		return ""
	}
	return ": " + strings.Join(facts, ", ")
}
