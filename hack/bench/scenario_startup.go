package main

import (
	"context"
	"fmt"
	"time"
)

// startupUsers is the number of users that the generic provider was measured with.
const startupUsers = 300

var startup = scenario{
	name: "startup",
	title: func(o options) string {
		return fmt.Sprintf("%d users that were created before the operator starts, no limit", startupUserCount(o))
	},
	smile:    withoutLimit,
	workload: users(startupUserCount, nil),
	limit:    within(5*time.Minute, 0),
	run: func(ctx context.Context, st *stage) ([]figure, error) {
		n := startupUserCount(st.options)
		if err := st.connect(ctx); err != nil {
			return nil, err
		}
		people := st.watchPeople(ctx)
		if err := st.declare(ctx, names("user", n)); err != nil {
			return nil, err
		}
		o, err := st.operate(ctx, unlimited)
		if err != nil {
			return nil, err
		}
		if err := st.allAre(ctx, o, people, "Ready", n, isReady, 3*time.Minute); err != nil {
			return nil, err
		}
		return []figure{{
			Name: fmt.Sprintf("%d users declared before, no limit: operator start to last Ready", n),
			Unit: "s", Target: atMost(3), Generic: "74 s",
			Measured: people.lastReady().Sub(o.started).Seconds(),
			How:      "from the start of the process, on a cluster with the CRDs on which no operator has run yet, to the last Ready that a watch saw",
		}}, nil
	},
}

func startupUserCount(o options) int { return min(o.users, startupUsers) }
