package main

import (
	"context"
	"fmt"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const (
	fewestCrashed = 40
	mostCrashed   = 200
	kills         = 3
	// heldAnswers is the number of responses that Smile holds back when the operator is killed: the users exist, but the operator
	// does not know.
	heldAnswers = 3
)

var crashes = scenario{
	name: "crashes",
	title: func(o options) string {
		return fmt.Sprintf("%d users, and %d kills of the operator while it creates them", crashedUserCount(o), kills)
	},
	smile:    strict,
	workload: users(crashedUserCount, callLimit),
	limit:    within(20*time.Minute, 0),
	run:      runCrashes,
}

func crashedUserCount(o options) int { return min(max(o.users, fewestCrashed), mostCrashed) }

func runCrashes(ctx context.Context, st *stage) ([]figure, error) {
	n := crashedUserCount(st.options)
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
	for range kills {
		if o, err = st.killCreating(ctx, o, n/8); err != nil {
			return nil, err
		}
	}
	if err := st.smile.SetFaults(nil); err != nil {
		return nil, err
	}
	// The outcome of an interrupted call is read from a listing that starts at least two minutes later.
	if err := st.allAre(ctx, o, people, "Ready", n, isReady, 10*time.Minute); err != nil {
		return nil, err
	}
	remote, err := st.smile.Users(apiKey)
	if err != nil {
		return nil, err
	}
	calls := st.smile.Journal(0)
	st.say("%s", tallyCalls(calls))
	return append([]figure{{
		Name:   fmt.Sprintf("remote users per SmileUser, %d crashes", kills),
		Target: atMost(1), Exact: true, Measured: perUser(len(remote), n),
		How: "users at the sandbox over SmileUsers, after SIGKILLs with calls in flight that had created users",
	}}, limitKept("crashing", calls, st.smile.Stats())...), nil
}

// killCreating kills the operator when it has created a number of further users, the last of which Smile has not confirmed,
// and starts another one.
func (st *stage) killCreating(ctx context.Context, o *operator, after int) (*operator, error) {
	err := st.smile.SetFaults([]sandbox.Fault{{
		Operation: "create-user", Nth: after, Count: heldAnswers, Phase: "after", Action: "delay:6s",
	}})
	if err != nil {
		return nil, err
	}
	mark := st.mark()
	err = st.until(ctx, fmt.Sprintf("%d more users are created", after), 3*time.Minute, func() (bool, string, error) {
		made := len(creations(st.smile.Journal(mark)))
		return made >= after, fmt.Sprintf("%d are", made), o.alive()
	})
	if err != nil {
		return nil, err
	}
	o.Kill()
	st.say("killed the operator, with %d users created", st.smile.Stats().Users)
	return st.operate(ctx, vendorLimit)
}
