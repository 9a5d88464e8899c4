package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
	clocktesting "k8s.io/utils/clock/testing"
)

// lease is a lock whose writes fail as told and take as long as told.
type lease struct {
	resourcelock.Interface

	clock *clocktesting.FakeClock
	takes time.Duration
	fails error
}

func (l *lease) Identity() string { return "me" }

func (l *lease) write() error {
	l.clock.Step(l.takes)
	return l.fails
}

func (l *lease) Create(context.Context, resourcelock.LeaderElectionRecord) error { return l.write() }

func (l *lease) Update(context.Context, resourcelock.LeaderElectionRecord) error { return l.write() }

func TestTheFenceStandsUntilTheRenewalDeadline(t *testing.T) {
	t.Parallel()
	mine := resourcelock.LeaderElectionRecord{HolderIdentity: "me"}
	released := resourcelock.LeaderElectionRecord{}
	type step struct {
		// write is what happens to the lease, if anything, and how.
		write *resourcelock.LeaderElectionRecord
		takes time.Duration
		fails bool
		// passes is the time that passes afterwards.
		passes time.Duration
		leads  bool
	}
	for name, steps := range map[string][]step{
		"never renewed":      {{}},
		"renewed":            {{write: &mine, leads: true}},
		"just in time":       {{write: &mine, passes: renewDeadline - time.Nanosecond, leads: true}},
		"too long ago":       {{write: &mine, passes: renewDeadline}},
		"a slow renewal":     {{write: &mine, takes: 15 * time.Second, passes: 5 * time.Second}},
		"a failed renewal":   {{write: &mine, fails: true}},
		"released":           {{write: &mine, leads: true}, {write: &released}},
		"a failed release":   {{write: &mine, leads: true}, {write: &released, fails: true, leads: true}},
		"renewed again":      {{write: &mine, passes: time.Minute}, {write: &mine, leads: true}},
		"failing for long":   {{write: &mine, leads: true}, {write: &mine, fails: true, passes: 19 * time.Second, leads: true}, {write: &mine, fails: true, passes: time.Second}},
		"stopped for a long": {{write: &mine, passes: time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := clocktesting.NewFakeClock(time.Now())
			inner := &lease{clock: clock}
			lock := &fencedLock{Interface: inner, clock: clock}
			for i, s := range steps {
				inner.takes, inner.fails = s.takes, nil
				if s.fails {
					inner.fails = errors.New("no answer")
				}
				if s.write != nil {
					write := lock.Update
					if i == 0 {
						write = lock.Create
					}
					if err := write(t.Context(), *s.write); !errors.Is(err, inner.fails) {
						t.Fatalf("step %d: the write gives %v", i, err)
					}
				}
				clock.Step(s.passes)
				if err := lock.check(); (err == nil) != s.leads {
					t.Errorf("step %d: the fence says %v", i, err)
				}
			}
		})
	}
}

// A call that cannot be undone takes 8 s at most from the moment that the fence let it pass.
func TestACallOfTheOldLeaderIsOverBeforeTheNewOneStarts(t *testing.T) {
	t.Parallel()
	const longestCall = 8 * time.Second
	if renewDeadline+longestCall >= leaseDuration {
		t.Errorf("renewal deadline %v and a call of %v reach beyond the lease of %v", renewDeadline, longestCall, leaseDuration)
	}
}
