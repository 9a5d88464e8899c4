package main

import (
	"context"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// scenario is a piece of work and what is measured of it, on a control plane and a Smile of its own.
type scenario struct {
	name  string
	title func(options) string
	// smile is how Smile behaves.
	smile func(options) sandbox.Options
	// workload is what it works with.
	workload func(options) workload
	// limit is when it is given up.
	limit func(options) time.Duration
	// collects says that the garbage collector is needed.
	collects bool
	run      func(context.Context, *stage) ([]figure, error)
}

// scenarios in the order of being played. The bare loop comes before what is compared with it.
var scenarios []scenario

// A variable that were set where it is declared would depend on itself: the options name scenarios.
func init() {
	scenarios = []scenario{bareLoop, startup, paced, jitter, isolation, crashes, failover, population, webhooks, news, hostile, outputs, restore}
}

func scenarioNames() []string {
	all := make([]string, len(scenarios))
	for i, s := range scenarios {
		all[i] = s.name
	}
	return all
}

// vendorLimit is how many calls within a second Smile takes from an address.
const vendorLimit = 20

const day = 24 * time.Hour

// unhurried is a Smile without a limit, and strict one with the vendor's.
func unhurried(options) sandbox.Options { return sandbox.Options{} }
func strict(options) sandbox.Options    { return sandbox.Options{RateLimit: vendorLimit} }

// within is a limit that grows with the number of users.
func within(fixed, each time.Duration) func(options) time.Duration {
	return func(o options) time.Duration { return fixed + time.Duration(o.users)*each }
}

// users is the workload of so many users on one connection.
func users(crowd func(options) int, load map[string]float64) func(options) workload {
	return func(o options) workload {
		return workload{Objects: map[string]int{"SmileConnection": 1, "SmileUser": crowd(o)}, Load: load}
	}
}

// synced is the workload of so many users with a sync each.
func synced(crowd func(options) int, load map[string]float64) func(options) workload {
	return func(o options) workload {
		w := users(crowd, load)(o)
		w.Objects["SmileAccountSync"] = crowd(o)
		return w
	}
}

func everybody(o options) int { return o.users }

// callLimit is the rate of a scenario at the vendor's limit.
var callLimit = map[string]float64{"calls a second, at most": vendorLimit}
