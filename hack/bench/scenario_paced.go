package main

import (
	"context"
	"fmt"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// pacedUsers is the largest number of users of the run: 50 s at the vendor's limit.
const pacedUsers = 1_000

var paced = scenario{
	name: "paced",
	title: func(o options) string {
		return fmt.Sprintf("%d users at the vendor's %d calls a second", pacedUserCount(o), vendorLimit)
	},
	smile:    strict,
	workload: users(pacedUserCount, callLimit),
	limit:    within(10*time.Minute, 0),
	run:      runPaced,
}

func pacedUserCount(o options) int { return min(o.users, pacedUsers) }

func runPaced(ctx context.Context, st *stage) ([]figure, error) {
	n := pacedUserCount(st.options)
	if err := st.connect(ctx); err != nil {
		return nil, err
	}
	people := st.watchPeople(ctx)
	if err := st.declare(ctx, names("user", n)); err != nil {
		return nil, err
	}
	o, err := st.operate(ctx, vendorLimit)
	if err != nil {
		return nil, err
	}
	if err := st.allAre(ctx, o, people, "Ready", n, isReady, 8*time.Minute); err != nil {
		return nil, err
	}
	calls := st.smile.Journal(0)
	ideal := time.Duration(n) * time.Second / vendorLimit
	took := people.lastReady().Sub(calls[0].Time)
	st.say("%s; started %.1f s before the first call", tallyCalls(calls), calls[0].Time.Sub(o.started).Seconds())
	return append([]figure{{
		Name:   fmt.Sprintf("%d users at %d calls a second: time over the ideal %.0f s", n, vendorLimit, ideal.Seconds()),
		Target: atMost(1.05), Measured: took.Seconds() / ideal.Seconds(),
		How: "from the first call in the sandbox's journal to the last Ready that a watch saw, over users / limit",
	}}, limitKept("creating", calls, st.smile.Stats())...), nil
}

// limitKept reports whether the vendor's limit was kept in every second.
func limitKept(doing string, calls []sandbox.JournalEntry, stats sandbox.Stats) []figure {
	return []figure{
		{
			Name: "largest one-second window of calls, " + doing, Target: atMost(vendorLimit), Measured: float64(stats.PeakRPS),
			How: "peakRPS of the sandbox",
		},
		{
			Name: "calls refused as too many, " + doing, Target: atMost(0), Measured: float64(len(refused(calls))),
			How: "429 in the sandbox's journal",
		},
	}
}
