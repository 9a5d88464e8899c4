package main

import (
	"context"
	"fmt"
	"time"
)

// create has an operator create all users, and leaves it running.
func (c *populationRun) create(ctx context.Context) ([]figure, error) {
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	c.people = c.watchPeople(ctx)
	if err := c.declare(ctx, c.names); err != nil {
		return nil, err
	}
	if err := c.calm(ctx); err != nil {
		return nil, err
	}
	used, err := c.createAll(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.settle(ctx, c.operator); err != nil {
		return nil, err
	}
	figures, err := c.costs()
	if err != nil {
		return nil, err
	}
	took, err := c.against(used)
	if err != nil {
		return nil, err
	}
	return c.withMemory(append(figures, took...), "creating", true)
}

// createAll starts the operator, and returns the processor time that it and the control plane used until all users are Ready.
func (c *populationRun) createAll(ctx context.Context) (used time.Duration, err error) {
	before, err := childrenCPU()
	if err != nil {
		return 0, err
	}
	if c.operator, err = c.operate(ctx, unlimited); err != nil {
		return 0, err
	}
	n := len(c.names)
	limit := 5*time.Minute + time.Duration(n)*100*time.Millisecond
	if err := c.allAre(ctx, c.operator, c.people, "Ready", n, isReady, limit); err != nil {
		return 0, err
	}
	after, err := childrenCPU()
	if err != nil {
		return 0, err
	}
	own, err := c.operator.spent()
	c.say("the operator used %s of processor time, the control plane %s", own.cpu, after-before-own.cpu)
	return after - before, err
}

// costs are the figures of the calls and requests that creating all users took.
func (c *populationRun) costs() ([]figure, error) {
	n, calls, remote := len(c.names), c.smile.Journal(0), c.smile.Stats().Users
	requests, err := c.requests(0)
	if err != nil {
		return nil, err
	}
	c.say("calls: %s; requests: %s", tallyCalls(calls), tallyRequests(requests))
	return []figure{
		{
			Name: "POST /users per user created", Target: atMost(1), Generic: "1.13",
			Measured: perUser(
				len(creations(calls)),
				remote,
			),
			How: "calls of create-user in the sandbox's journal, over users at the sandbox",
		},
		{
			Name: "all calls per user created", Target: atMost(1.02), Generic: "3.3",
			Measured: perUser(len(calls), n), How: "the sandbox's journal, over SmileUsers",
		},
		{
			Name: "remote users per SmileUser, no faults", Target: atMost(1), Exact: true, Generic: "1.13",
			Measured: perUser(remote, n), How: "users at the sandbox, over SmileUsers",
		},
		{
			Name: "API-server writes per user created", Target: atMost(2.05), Measured: perUser(len(writes(requests)), n),
			How: "the audit log, over SmileUsers: intent, result, and events, most of which are grouped; without the lease",
		},
		{
			Name: "API-server requests per user created", Measured: perUser(len(requests), n),
			How: "all requests in the audit log, including watches and reads, without the lease, over SmileUsers",
		},
	}, nil
}

// against compares the creation of all users with the bare loop, if that ran.
func (c *populationRun) against(used time.Duration) ([]figure, error) {
	n := len(c.names)
	requests, err := c.requests(0)
	if err != nil {
		return nil, err
	}
	took := span(arrivals(statusWrites(requests)))
	figures := []figure{{
		Name: fmt.Sprintf("%d users, no limit: operator", n), Unit: "s", Measured: took.Seconds(),
		How: "from the first write of a status to the last in the audit log",
	}}
	if c.reference == 0 {
		return figures, nil
	}
	return append(figures, figure{
		Name: fmt.Sprintf("%d users, no limit: operator over bare loop", n), Target: atMost(1.2),
		Measured: took.Seconds() / c.reference.Seconds(), How: "both from the first write of a status to the last in the audit log",
	}, figure{
		Name: fmt.Sprintf("%d users, no limit: processor time, operator over bare loop", n), Target: atMost(1.2),
		Measured: used.Seconds() / c.referenceCPU.Seconds(),
		How: "of the control plane and of the operator, its start included, or of the bare loop, from their start until all are done, as " +
			"/proc counts it: unlike the time it takes, it hardly depends on other processes",
	}), nil
}
