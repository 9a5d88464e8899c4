package main

import (
	"context"
	"fmt"
	"time"
)

const (
	pollInterval     = 50 * time.Millisecond
	progressInterval = 10 * time.Second
)

// until waits until check reports done, and prints the state that check returns from time to time.
func (st *stage) until(
	ctx context.Context,
	what string,
	limit time.Duration,
	check func() (done bool, state string, err error),
) error {
	deadline := time.Now().Add(limit)
	poll, progress := time.NewTicker(pollInterval), time.NewTicker(progressInterval)
	defer poll.Stop()
	defer progress.Stop()
	for {
		done, state, err := check()
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s until %s: %s", limit, what, state)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s (%s): %w", what, state, context.Cause(ctx))
		case <-progress.C:
			st.say("waiting until %s: %s", what, state)
		case <-poll.C:
		}
	}
}

// waitFor waits for a time while an operator runs.
func (st *stage) waitFor(ctx context.Context, o *operator, span time.Duration, why string) error {
	end := time.Now().Add(span)
	return st.until(ctx, why, span+time.Minute, func() (bool, string, error) {
		left := time.Until(end)
		return left <= 0, fmt.Sprintf("%s to go", left.Round(time.Second)), o.alive()
	})
}

// settle waits until the operator has written nothing for a while.
func (st *stage) settle(ctx context.Context, o *operator) error {
	const (
		quiet  = 8 * time.Second
		longer = 5 * time.Minute
	)
	place, err := st.audit.End()
	if err != nil {
		return err
	}
	since, checked, last := time.Now(), time.Now(), "none"
	return st.until(ctx, "nothing is written any more", longer, func() (bool, string, error) {
		if time.Since(checked) < time.Second {
			return false, "last writes: " + last, o.alive()
		}
		checked = time.Now()
		requests, err := st.requests(place)
		written := writes(requests)
		if err != nil || len(written) == 0 {
			return time.Since(since) > quiet, "last writes: " + last, err
		}
		since, last = time.Now(), tallyRequests(written)
		place, err = st.audit.End()
		return false, "writes: " + last, err
	})
}

// calm waits until the control plane uses little processor time: after its start it still prepares the custom resources.
func (st *stage) calm(ctx context.Context) error {
	const longer = time.Minute
	before, err := childrenCPU()
	if err != nil {
		return err
	}
	since := time.Now()
	return st.until(ctx, "the control plane is idle", longer, func() (bool, string, error) {
		span := time.Since(since)
		if span < time.Second {
			return false, "its load is being measured", nil
		}
		now, err := childrenCPU()
		load := (now - before).Seconds() / span.Seconds()
		before, since = now, time.Now()
		return load < 2*busyShare, fmt.Sprintf("it uses %.2f cores", load), err
	})
}
