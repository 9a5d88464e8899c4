package main

import (
	"context"
	"fmt"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// jitterUsers is the largest number of users of each run: 25 s at the vendor's limit.
const jitterUsers = 500

var jitter = scenario{
	name: "jitter",
	title: func(o options) string {
		return fmt.Sprintf("%d users at %d calls a second, each call delayed on the way by 0-30 ms, then by 0-80 ms",
			jitterUserCount(o), vendorLimit)
	},
	smile:    strict,
	workload: users(func(o options) int { return 2 * jitterUserCount(o) }, callLimit),
	limit:    within(10*time.Minute, 0),
	run:      runJitter,
}

func jitterUserCount(o options) int { return min(o.users, jitterUsers) }

func runJitter(ctx context.Context, st *stage) ([]figure, error) {
	proxy, err := st.delaying(ctx, st.smile.URL)
	if err != nil {
		return nil, err
	}
	if err := st.connect(ctx); err != nil {
		return nil, err
	}
	run := &jitterRun{stage: st, proxy: proxy, people: st.watchPeople(ctx)}
	if run.operator, err = st.operateAt(ctx, proxy.URL, vendorLimit); err != nil {
		return nil, err
	}
	bounded, err := run.create(ctx, 30*time.Millisecond, true)
	if err != nil {
		return nil, err
	}
	beyond, err := run.create(ctx, 80*time.Millisecond, false)
	return append(bounded, beyond...), err
}

// jitterRun is one operator behind a proxy.
type jitterRun struct {
	*stage
	proxy    *delayProxy
	people   *people
	operator *operator
	users    int
}

// create makes the operator create users while calls are delayed by up to most. The pacing promises to keep the limit up to 30
// ms. Beyond that, figures only inform.
func (r *jitterRun) create(ctx context.Context, most time.Duration, promised bool) ([]figure, error) {
	n := jitterUserCount(r.options)
	r.proxy.most.Store(int64(most))
	mark := r.mark()
	if err := r.declare(ctx, names(fmt.Sprintf("within-%dms", most.Milliseconds()), n)); err != nil {
		return nil, err
	}
	r.users += n
	if err := r.allAre(ctx, r.operator, r.people, "Ready", r.users, isReady, 4*time.Minute); err != nil {
		return nil, err
	}
	calls := r.smile.Journal(mark)
	creating := creations(calls)
	ideal := time.Duration(n) * time.Second / vendorLimit
	took := r.people.lastReady().Sub(creating[0].Time)
	r.say("delays of 0-%s: %s", most, tallyCalls(calls))
	return jitterFigures(most, promised, calls, took.Seconds()/ideal.Seconds()), nil
}

func jitterFigures(most time.Duration, promised bool, calls []sandbox.JournalEntry, overIdeal float64) []figure {
	target := func(x float64) *float64 {
		if !promised {
			return nil
		}
		return atMost(x)
	}
	by := fmt.Sprintf(", delayed by 0-%d ms", most.Milliseconds())
	return []figure{
		{
			Name: "creating users at the limit" + by + ": time over the ideal", Target: target(1.05), Measured: overIdeal,
			How: "from the first POST in the sandbox's journal to the last Ready that a watch saw, over users / limit",
		},
		{
			Name: "largest one-second window of calls" + by, Target: target(vendorLimit), Measured: float64(peak(callTimes(calls))),
			How: "times in the sandbox's journal, refused calls included",
		},
		{
			Name: "calls refused as too many" + by, Target: target(0), Measured: float64(len(refused(calls))),
			How: "429 in the sandbox's journal",
		},
	}
}
