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

// accountUser is the operator to the API server.
const accountUser = "system:serviceaccount:" + accountNamespace + ":" + accountName

// own picks the operator's requests, the leader lease aside.
func own(requests []audit.Request) []audit.Request {
	return only(requests, func(r audit.Request) bool { return r.User == accountUser && r.Resource != "leases" })
}

// writes picks what changes something.
func writes(requests []audit.Request) []audit.Request { return only(requests, audit.Request.Writes) }

// busy picks the requests that somebody's turn causes: not the watches, which are opened again every few minutes, nor
// the look at a connection's Secret every 30 s.
func busy(requests []audit.Request) []audit.Request {
	return only(requests, func(r audit.Request) bool {
		return r.Verb != "watch" && (r.Verb != "get" || r.Resource != "secrets")
	})
}

// statusWrites picks the writes of SmileUsers' statuses.
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

// quietAfter is how long after the start the last of the requests came; 0 if there was none.
func quietAfter(started time.Time, requests []audit.Request) time.Duration {
	quiet := time.Duration(0)
	for _, request := range requests {
		quiet = max(quiet, request.At.Sub(started))
	}
	return quiet
}

// tallyRequests and tallyCalls say how often what was asked.
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

// creations picks the calls that create a user.
func creations(calls []sandbox.JournalEntry) []sandbox.JournalEntry {
	return only(calls, func(c sandbox.JournalEntry) bool { return c.Operation == "create-user" })
}

// refused picks the calls that were too many.
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
