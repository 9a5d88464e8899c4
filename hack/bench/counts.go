package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/audit"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// accountUser is the operator's user name at the API server.
const accountUser = "system:serviceaccount:" + accountNamespace + ":" + accountName

// own selects the operator's requests, except those for the leader lease.
func own(requests []audit.Request) []audit.Request {
	return only(requests, func(r audit.Request) bool { return r.User == accountUser && r.Resource != "leases" })
}

// writes selects the requests that change something.
func writes(requests []audit.Request) []audit.Request { return only(requests, audit.Request.Writes) }

// busy selects the requests that work causes. It omits the watches, which are reopened every few minutes, and
// the read of a connection's Secret every 30 s.
func busy(requests []audit.Request) []audit.Request {
	return only(requests, func(r audit.Request) bool {
		return r.Verb != "watch" && (r.Verb != "get" || r.Resource != "secrets")
	})
}

// statusWrites selects the writes of the statuses of SmileUsers.
func statusWrites(requests []audit.Request) []audit.Request {
	return only(requests, func(r audit.Request) bool { return r.Writes() && r.Resource == "smileusers/status" })
}

func only[T any](all []T, wanted func(T) bool) []T {
	var picked []T
	for _, one := range all {
		if wanted(one) {
			picked = append(picked, one)
		}
	}
	return picked
}

func arrivals(requests []audit.Request) []time.Time {
	times := make([]time.Time, len(requests))
	for i, request := range requests {
		times[i] = request.At
	}
	return times
}

// quietAfter is the time from the start to the last request. It is 0 if there was none.
func quietAfter(started time.Time, requests []audit.Request) time.Duration {
	quiet := time.Duration(0)
	for _, request := range requests {
		quiet = max(quiet, request.At.Sub(started))
	}
	return quiet
}

// tallyRequests and tallyCalls count the requests and the calls by kind, for messages.
func tallyRequests(requests []audit.Request) string {
	return tally(requests, func(r audit.Request) string { return r.Verb + " " + r.Resource })
}

func tallyCalls(calls []sandbox.JournalEntry) string {
	return tally(calls, func(c sandbox.JournalEntry) string { return fmt.Sprintf("%s %d", c.Operation, c.Status) })
}

func tally[T any](all []T, name func(T) string) string {
	counts := map[string]int{}
	for _, one := range all {
		counts[name(one)]++
	}
	parts := []string{}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// creations selects the calls that create a user.
func creations(calls []sandbox.JournalEntry) []sandbox.JournalEntry {
	return only(calls, func(c sandbox.JournalEntry) bool { return c.Operation == "create-user" })
}

// refused selects the calls that Smile refused because there were too many.
func refused(calls []sandbox.JournalEntry) []sandbox.JournalEntry {
	return only(calls, func(c sandbox.JournalEntry) bool { return c.Status == 429 })
}

func callTimes(calls []sandbox.JournalEntry) []time.Time {
	times := make([]time.Time, len(calls))
	for i, call := range calls {
		times[i] = call.Time
	}
	return times
}
