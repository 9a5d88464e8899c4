package main

import (
	"context"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// scenario is some work and its measurements, on its own control plane and sandbox.
type scenario struct {
	name  string
	title func(options) string
	// smile configures the sandbox.
	smile func(options) sandbox.Options
	// workload of the scenario, for the result.
	workload func(options) workload
	// limit is the time after which it is aborted.
	limit func(options) time.Duration
	// collects means that the garbage collector is required.
	collects bool
	run      func(context.Context, *stage) ([]figure, error)
}

// scenarios in the order in which they are run. The bare loop is run before the scenarios that are compared with it.
var scenarios []scenario

// The variable is set in init, because a declaration with a value would depend on itself: the options name scenarios.
func init() {
	scenarios = []scenario{
		bareLoop,
		startup,
		paced,
		jitter,
		isolation,
		crashes,
		failover,
		population,
		webhooks,
		news,
		tokens,
		hostile,
		outputs,
		restore,
	}
}

func scenarioNames() []string {
	all := make([]string, len(scenarios))
	for i, s := range scenarios {
		all[i] = s.name
	}
	return all
}

// vendorLimit is the number of calls a second that Smile permits for an address.
const vendorLimit = 20

const day = 24 * time.Hour

// withoutLimit is a sandbox without a limit of calls, strict is one with the vendor's limit.
func withoutLimit(options) sandbox.Options { return sandbox.Options{} }
func strict(options) sandbox.Options       { return sandbox.Options{RateLimit: vendorLimit} }

// within is a limit that grows with the number of users.
func within(fixed, each time.Duration) func(options) time.Duration {
	return func(o options) time.Duration { return fixed + time.Duration(o.users)*each }
}

// users is the workload of so many users on one connection.
func users(count func(options) int, load map[string]float64) func(options) workload {
	return func(o options) workload {
		return workload{Objects: map[string]int{"SmileConnection": 1, "SmileUser": count(o)}, Load: load}
	}
}

// synced is the workload of so many users with a sync each.
func synced(count func(options) int, load map[string]float64) func(options) workload {
	return func(o options) workload {
		w := users(count, load)(o)
		w.Objects["SmileAccountSync"] = count(o)
		return w
	}
}

func everybody(o options) int { return o.users }

// callLimit is the rate of a scenario at the vendor's limit.
var callLimit = map[string]float64{"calls a second, at most": vendorLimit}
