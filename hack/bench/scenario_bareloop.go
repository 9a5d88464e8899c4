package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// operatorConcurrency is the number of users that the operator and the bare loop process at a time.
const operatorConcurrency = 16

var bareLoop = scenario{
	name: "bareloop",
	title: func(o options) string {
		return fmt.Sprintf("%d users created by a program that does the minimum", o.users)
	},
	smile:    withoutLimit,
	workload: func(o options) workload { return workload{Objects: map[string]int{"SmileUser": o.users}} },
	limit:    within(3*time.Minute, 100*time.Millisecond),
	run:      runBareLoop,
}

func runBareLoop(ctx context.Context, st *stage) ([]figure, error) {
	st.watchPeople(ctx) // as where the operator is measured: the API server serves this watch, and the bench reads it
	if err := st.declare(ctx, names("user", st.users)); err != nil {
		return nil, err
	}
	if err := st.calm(ctx); err != nil {
		return nil, err
	}
	used, err := st.loop(ctx)
	if err != nil {
		return nil, fmt.Errorf("the bare loop: %w", err)
	}
	if made := st.smile.Stats().Users; made != st.users {
		return nil, fmt.Errorf("the bare loop made %d users, not %d", made, st.users)
	}
	requests, err := st.requests(0)
	if err != nil {
		return nil, err
	}
	written := statusWrites(requests)
	if len(written) != 2*st.users {
		return nil, errors.New("the bare loop did not write exactly two statuses for each user: " + tallyRequests(requests))
	}
	st.reference, st.referenceCPU = span(arrivals(written)), used
	return []figure{{
		Name: fmt.Sprintf("%d users, no limit: bare loop", st.users), Unit: "s", Measured: st.reference.Seconds(), Reference: true,
		How: "client-go, 16 users at a time, two writes of the status and one call for each; from the first write to the last in the audit log",
	}}, nil
}

// loop runs the bare loop, and returns the processor time that it and the control plane used.
func (st *stage) loop(ctx context.Context) (used time.Duration, err error) {
	before, err := childrenCPU()
	if err != nil {
		return 0, err
	}
	p, err := st.launch(ctx, "bareloop", []string{
		"-namespace=" + namespace, "-smile=" + st.smile.URL + "/v1", "-keys=" + apiKey + ":" + apiSecret,
		"-concurrency=" + strconv.Itoa(operatorConcurrency),
	}, "KUBECONFIG="+st.access)
	if err != nil {
		return 0, err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if p.Err() != nil {
		return 0, p.Err()
	}
	after, err := childrenCPU()
	st.say("the bare loop used %s of processor time, the control plane %s", p.Used(), after-before)
	return after - before + p.Used(), err
}
