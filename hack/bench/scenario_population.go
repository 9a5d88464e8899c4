package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// shortest is the smallest resyncInterval, and usual the default.
	shortest = time.Minute
	usual    = 15 * time.Minute
	// takeoverLimit is the longest time of the first new user after a restart: the operator waits until Smile's listings show
	// for certain what the previous process created last.
	takeoverLimit = 5 * time.Minute
	// restWindow is how long the users are watched at rest: three polls.
	restWindow = 3 * shortest
	// restartWindow is how long the operator is watched after its start, and before, for comparison.
	restartWindow = 45 * time.Second
)

var population = scenario{
	name: "population",
	title: func(o options) string {
		return fmt.Sprintf("%d users: created without a limit, at rest, through a restart, with new users while all are refreshed", o.users)
	},
	smile: withoutLimit,
	workload: users(func(o options) int { return o.users + newcomers + 2 }, map[string]float64{
		"newcomers a second": float64(time.Second) / float64(newcomerInterval), "calls a second while they come, at most": vendorLimit,
	}),
	limit: within(30*time.Minute, 400*time.Millisecond),
	run: func(ctx context.Context, st *stage) ([]figure, error) {
		c := &populationRun{stage: st, names: names("user", st.users)}
		var figures []figure
		for _, part := range []func(context.Context) ([]figure, error){c.create, c.rest, c.throughRestart, c.relist, c.newcomers} {
			measured, err := part(ctx)
			figures = append(figures, measured...)
			if err != nil {
				return figures, err
			}
		}
		return figures, nil
	},
}

// populationRun is one operator with all users.
type populationRun struct {
	*stage
	names    []string
	people   *people
	operator *operator
}

// withMemory adds the present or the largest memory use of the operator.
func (c *populationRun) withMemory(figures []figure, doing string, atWorst bool) ([]figure, error) {
	now, most, err := c.operator.memory()
	if err != nil {
		return figures, err
	}
	f := figure{
		Name: fmt.Sprintf("RSS with %d users, %s", len(c.names), doing), Unit: "MiB", Target: atMost(100), Measured: now,
		Generic: "120 MiB at 300", How: "VmRSS of the process, which has " + memoryLimit,
	}
	if atWorst {
		f.Name, f.Measured, f.How = f.Name+", at most", most, "VmHWM of the process, which has "+memoryLimit
	}
	return append(figures, f), nil
}

// restartWith restarts the operator with another resyncInterval.
func (c *populationRun) restartWith(ctx context.Context, resync time.Duration, perSecond int) error {
	if err := c.operator.end(); err != nil {
		return err
	}
	if err := c.resync(ctx, resync); err != nil {
		return err
	}
	var err error
	if c.operator, err = c.operate(ctx, perSecond); err != nil {
		return err
	}
	c.say("restarted the operator, with a resyncInterval of %s", resync)
	return nil
}

// rest watches users with an account each and without new data.
func (c *populationRun) rest(ctx context.Context) ([]figure, error) {
	n := len(c.names)
	if err := c.link(ctx, c.names, c.people); err != nil {
		return nil, err
	}
	if err := c.restartWith(ctx, shortest, unlimited); err != nil {
		return nil, err
	}
	if err := c.allAre(ctx, c.operator, c.people, "seen to be linked", n, isLinked, 5*time.Minute); err != nil {
		return nil, err
	}
	if err := c.settle(ctx, c.operator); err != nil {
		return nil, err
	}
	place, err := c.audit.End()
	if err != nil {
		return nil, err
	}
	mark := c.mark()
	if err := c.waitFor(ctx, c.operator, restWindow, "three polls have been made"); err != nil {
		return nil, err
	}
	requests, err := c.requests(place)
	if err != nil {
		return nil, err
	}
	calls := c.smile.Journal(mark)
	c.say("calls: %s; requests: %s", tallyCalls(calls), tallyRequests(requests))
	callsPerPoll := per(shortest, len(calls), restWindow)
	return c.withMemory([]figure{
		{
			Name: fmt.Sprintf("calls a minute, %d users at rest", n), Target: atMost(2 * max(1, float64(n)/1000)),
			Generic: "1,000 for 1,000 users", Measured: callsPerPoll / usual.Minutes(),
			How: fmt.Sprintf("the sandbox's journal over %s with a poll every %s: %.1f calls a poll, converted to a poll every %s", restWindow, shortest, callsPerPoll, usual),
		},
		{
			Name: fmt.Sprintf("API-server writes an hour, %d users at rest, lease aside", n), Target: atMost(0),
			Measured: per(time.Hour, len(writes(requests)), restWindow),
			How:      fmt.Sprintf("the audit log over %s with %d polls, scaled", restWindow, restWindow/shortest),
		},
	}, "at rest", false)
}

// throughRestart compares the time after a restart with the time before.
func (c *populationRun) throughRestart(ctx context.Context) ([]figure, error) {
	n := len(c.names)
	if err := c.restartWith(ctx, day, unlimited); err != nil {
		return nil, err
	}
	if err := c.settle(ctx, c.operator); err != nil {
		return nil, err
	}
	mark := c.mark()
	if err := c.waitFor(ctx, c.operator, restartWindow, "the time before the restart has been watched"); err != nil {
		return nil, err
	}
	without := len(c.smile.Journal(mark))
	place, err := c.audit.End()
	if err != nil {
		return nil, err
	}
	mark = c.mark()
	if c.operator, err = c.restart(ctx, c.operator, unlimited); err != nil {
		return nil, err
	}
	samples, err := c.sample(ctx, restartWindow)
	if err != nil {
		return nil, err
	}
	requests, err := c.requests(place)
	if err != nil {
		return nil, err
	}
	calls := c.smile.Journal(mark)
	c.say("calls: %s, and %d in as long a time before; requests: %s", tallyCalls(calls), without, tallyRequests(requests))
	return []figure{
		{
			Name: fmt.Sprintf("calls caused by a restart with %d users, none due", n), Target: atMost(0),
			Generic: "10,000 for 10,000 users",
			Measured: caused(
				len(calls),
				without,
			),
			How: fmt.Sprintf("the sandbox's journal, %s from the restart less %s before", restartWindow, restartWindow),
		},
		{
			Name: fmt.Sprintf("API-server writes caused by a restart with %d users, lease aside", n), Target: atMost(0),
			Measured: float64(len(writes(requests))), How: fmt.Sprintf("the audit log, %s from the restart", restartWindow),
		},
		{
			Name: "quiet after a restart", Unit: "s", Target: atMost(30),
			Measured: max(quietAfter(c.operator.started, busy(requests)), calmAfter(c.operator.started, samples)).Seconds(),
			How: fmt.Sprintf(
				"from the start of the process to the later of its last request in the audit log other than watches, leases and reads of "+
					"the connection's Secret, and the last second in which /proc shows more than %.0f %% of a core",
				100*busyShare,
			),
		},
	}, nil
}

// sample records the operator's processor time every second.
func (c *populationRun) sample(ctx context.Context, span time.Duration) ([]spent, error) {
	var samples []spent
	end, next := time.Now().Add(span), time.Now()
	err := c.until(ctx, "the time after the restart has been watched", span+time.Minute, func() (bool, string, error) {
		left := time.Until(end)
		state := fmt.Sprintf("%s to go", left.Round(time.Second))
		if time.Now().Before(next) {
			return left <= 0, state, c.operator.alive()
		}
		next = next.Add(time.Second)
		used, err := c.operator.spent()
		samples = append(samples, used)
		return left <= 0, state, errors.Join(err, c.operator.alive())
	})
	return samples, err
}

// relist creates a SmileUser after the restart. It is not created at Smile before all users were listed.
func (c *populationRun) relist(ctx context.Context) ([]figure, error) {
	n := len(c.names)
	mark := c.mark()
	if err := c.declare(ctx, []string{"late"}); err != nil {
		return nil, err
	}
	if err := c.allAre(ctx, c.operator, c.people, "Ready", n+1, isReady, takeoverLimit); err != nil {
		return nil, err
	}
	if err := c.settle(ctx, c.operator); err != nil {
		return nil, err
	}
	calls := c.smile.Journal(mark)
	c.say("calls: %s", tallyCalls(calls))
	return []figure{{
		Name: fmt.Sprintf("calls of a full relist of %d users and a creation after it", n), Target: atMost(float64(pages(n) + 3)),
		Measured: float64(len(calls)), Generic: "10,000 for 10,000 users",
		How: "the sandbox's journal, for the first SmileUser created after a restart",
	}}, nil
}

const (
	newcomers        = 100
	newcomerInterval = 500 * time.Millisecond
)

// newcomers creates SmileUsers one by one while all others are refreshed, at the vendor's limit.
func (c *populationRun) newcomers(ctx context.Context) ([]figure, error) {
	n := len(c.names)
	if err := c.restartWith(ctx, day, vendorLimit); err != nil {
		return nil, err
	}
	// The first new user after a restart must wait until all users at Smile were listed. That is another figure.
	if err := c.declare(ctx, []string{"first"}); err != nil {
		return nil, err
	}
	if err := c.allAre(ctx, c.operator, c.people, "Ready", n+2, isReady, takeoverLimit); err != nil {
		return nil, err
	}
	mark, asked := c.mark(), make(chan error, 1)
	go func() { asked <- c.requestRefresh(ctx, c.names) }()
	declared, err := c.createOneByOne(ctx, names("newcomer", newcomers))
	if err := <-asked; err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	if err := c.allAre(ctx, c.operator, c.people, "Ready", n+2+newcomers, isReady, 10*time.Minute); err != nil {
		return nil, err
	}
	var waits []time.Duration
	for name, at := range declared {
		waits = append(waits, c.people.of(name).ready.Sub(at))
	}
	calls := c.smile.Journal(mark)
	c.say("calls: %s; the fastest of %d new users was Ready after %.2f s, half of them after %.2f s",
		tallyCalls(calls), len(waits), slices.Min(waits).Seconds(), percentile(waits, 50).Seconds())
	return []figure{
		{
			Name: fmt.Sprintf("new user to Ready while %d are asked for at %d calls a second, p99", n, vendorLimit), Unit: "s",
			Target: atMost(10), Measured: percentile(waits, 99).Seconds(),
			How: fmt.Sprintf("%d users created every %s, from before the creation to the Ready that a watch saw", newcomers, newcomerInterval),
		},
		{
			Name: "largest one-second window of calls, asking for all", Target: atMost(vendorLimit),
			Measured: float64(peak(callTimes(calls))),
			How:      "times in the sandbox's journal",
		},
	}, nil
}

// createOneByOne creates one SmileUser after the other, and returns the times.
func (c *populationRun) createOneByOne(ctx context.Context, all []string) (map[string]time.Time, error) {
	tick := time.NewTicker(newcomerInterval)
	defer tick.Stop()
	declared := map[string]time.Time{}
	for _, name := range all {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
		declared[name] = time.Now()
		if err := c.admin.Create(ctx, person(name)); err != nil {
			return nil, err
		}
	}
	c.say("created %d new users", len(all))
	return declared, nil
}
