package main

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// The leader Lease of the manifests, and how long another process waits for one that was not renewed.
const (
	leaderLease   = "smile-operator.smile-operator.io"
	leaseDuration = 30 * time.Second
)

var failover = scenario{
	name: "failover",
	title: func(o options) string {
		return fmt.Sprintf("a leader that is killed right after it created %d users, a leader that stops, and the next new user", o.users)
	},
	smile:    strict,
	workload: users(func(o options) int { return o.users }, callLimit),
	limit:    within(15*time.Minute, 100*time.Millisecond),
	run:      runFailover,
}

func runFailover(ctx context.Context, st *stage) ([]figure, error) {
	if err := st.connect(ctx); err != nil {
		return nil, err
	}
	f := &failoverRun{stage: st, people: st.watchPeople(ctx)}
	if err := f.populate(ctx); err != nil {
		return nil, err
	}
	place, err := st.audit.End()
	if err != nil {
		return nil, err
	}
	killed, err := f.takeOver(ctx, "killed", func(o *operator) error { o.Kill(); return nil })
	if err != nil {
		return nil, err
	}
	ended, err := f.takeOver(ctx, "ended", (*operator).end)
	if err != nil {
		return nil, err
	}
	remote, err := st.smile.Users(apiKey)
	if err != nil {
		return nil, err
	}
	logged, err := st.logWrites(place)
	if err != nil {
		return nil, err
	}
	st.say("the creation log was written %d times for two changes of leaders and two users", logged)
	return []figure{
		{
			Name: fmt.Sprintf("leader killed, %d users: the next new user is Ready beyond the lease", st.users), Unit: "s",
			Target: atMost(6), Measured: (killed - leaseDuration).Seconds(),
			How: fmt.Sprintf("from SIGKILL, a replica waiting and a new user created at once, to a watch's Ready, less the lease of %s", leaseDuration),
		},
		{
			Name: "leader ended in good order: the next new user is Ready", Unit: "s", Target: atMost(6), Measured: ended.Seconds(),
			How: "from the end of the process, a replica waiting and a new user created at once, to a watch's Ready",
		},
		{
			Name: "remote users per SmileUser, with two changes of leaders", Target: atMost(1), Exact: true,
			Measured: perUser(len(remote), f.declared),
			How:      "users at the sandbox over SmileUsers",
		},
		{
			Name: "writes of the creation log per user created", Target: atMost(1), Measured: float64(f.logWrites) / float64(st.users),
			How: "of its Lease in the API server's audit log, while the first leader created all users",
		},
	}, nil
}

// failoverRun is a leader, and a replica that waits to be the next.
type failoverRun struct {
	*stage
	people    *people
	leader    *operator
	declared  int
	logWrites int
}

// populate has the first leader create all users.
func (f *failoverRun) populate(ctx context.Context) error {
	place, err := f.audit.End()
	if err != nil {
		return err
	}
	if f.leader, err = f.operate(ctx, vendorLimit); err != nil {
		return err
	}
	f.declared = f.users
	if err := f.declare(ctx, names("user", f.users)); err != nil {
		return err
	}
	limit := time.Duration(f.users)*100*time.Millisecond + time.Minute
	if err := f.allAre(ctx, f.leader, f.people, "Ready", f.users, isReady, limit); err != nil {
		return err
	}
	f.logWrites, err = f.stage.logWrites(place)
	return err
}

// takeOver ends the leader while a replica waits, and measures the time until a user that is created then is Ready.
func (f *failoverRun) takeOver(ctx context.Context, how string, end func(*operator) error) (time.Duration, error) {
	former, err := f.holder(ctx)
	if err != nil {
		return 0, err
	}
	next, err := f.operate(ctx, vendorLimit)
	if err != nil {
		return 0, err
	}
	// It has its caches, as a replica has.
	if err := f.waitFor(ctx, next, 10*time.Second, "a replica waits"); err != nil {
		return 0, err
	}
	name := "after-the-leader-was-" + how
	began := time.Now()
	if err := end(f.leader); err != nil {
		return 0, err
	}
	if how == "ended" {
		began = time.Now()
	}
	f.leader = next
	f.declared++
	if err := f.admin.Create(ctx, person(name)); err != nil {
		return 0, err
	}
	err = f.until(ctx, name+" is Ready", 5*time.Minute, func() (bool, string, error) {
		return isReady(f.people.of(name)), "not yet", next.alive()
	})
	took := f.people.of(name).ready.Sub(began)
	holder, holderErr := f.holder(ctx)
	if err == nil && holderErr == nil && holder == former {
		err = fmt.Errorf("the leader was %s and still leads", how)
	}
	f.say("the leader was %s: %s after %.1f s", how, name, took.Seconds())
	return took, err
}

func (f *failoverRun) holder(ctx context.Context) (string, error) {
	var lease coordinationv1.Lease
	err := f.admin.Get(ctx, types.NamespacedName{Namespace: accountNamespace, Name: leaderLease}, &lease)
	return ptr.Deref(lease.Spec.HolderIdentity, ""), err
}

// logWrites counts the writes of the creation log since a place in the audit log.
func (st *stage) logWrites(place int64) (int, error) {
	all, err := st.audit.After(place)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, request := range all {
		if request.Writes() && request.Resource == "leases" && request.Name == leaderLease+"-creations" {
			count++
		}
	}
	return count, nil
}
