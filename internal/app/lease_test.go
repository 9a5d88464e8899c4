package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/smile-operator/smile-operator/internal/creation"
)

// lease is a lock whose writes fail, and take time, as configured.
type lease struct {
	resourcelock.Interface

	clock *clocktesting.FakeClock
	takes time.Duration
	fails error
	// record is the object at the API server; nil if there is none.
	record *resourcelock.LeaderElectionRecord
}

var errNoLease = errors.New("there is no lease")

func (l *lease) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if l.record == nil {
		return nil, nil, errNoLease
	}
	record := *l.record
	return &record, nil, nil
}

func (l *lease) Identity() string { return "me" }

func (l *lease) write() error {
	l.clock.Step(l.takes)
	return l.fails
}

func (l *lease) Create(_ context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.store(record)
}

func (l *lease) Update(_ context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.store(record)
}

func (l *lease) store(record resourcelock.LeaderElectionRecord) error {
	err := l.write()
	if err == nil {
		l.record = &record
	}
	return err
}

func TestFenceUntilTheRenewalDeadline(t *testing.T) {
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

// twoClocks is a machine whose wall clock and monotonic clock differ since it was suspended, or since its wall clock was set.
type twoClocks struct {
	*clocktesting.FakeClock

	// jumped is by how much the wall clock advanced while the monotonic clock stood still.
	jumped time.Duration
}

func (c *twoClocks) Now() time.Time { return c.FakeClock.Now().Add(c.jumped) }

func TestFenceUsesTheClockThatShowsMore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		passes, jumps time.Duration
		leads         bool
	}{
		"neither clock":                            {passes: renewDeadline - 1, leads: true},
		"the wall clock, after a suspension":       {passes: time.Second, jumps: renewDeadline},
		"the monotonic clock, the other set back":  {passes: renewDeadline, jumps: -time.Hour},
		"neither clock, the wall clock a bit late": {passes: time.Second, jumps: -time.Second, leads: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := &lease{clock: clocktesting.NewFakeClock(time.Now())}
			clock := &twoClocks{FakeClock: inner.clock}
			lock := &fencedLock{Interface: inner, clock: clock}
			if err := lock.Create(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "me"}); err != nil {
				t.Fatal(err)
			}
			inner.clock.Step(c.passes)
			clock.jumped = c.jumps
			if err := lock.check(); (err == nil) != c.leads {
				t.Errorf("the fence says %v", err)
			}
		})
	}
}

// A call that cannot be undone ends at most 8 s after the fence has permitted it.
func TestACallOfTheOldLeaderIsOverBeforeTheNewOneStarts(t *testing.T) {
	t.Parallel()
	const longestCall = 8 * time.Second
	if renewDeadline+longestCall >= leaseDuration {
		t.Errorf("renewal deadline %v and a call of %v reach beyond the lease of %v", renewDeadline, longestCall, leaseDuration)
	}
}

// candidate is a process that has just become the leader.
func candidate(t *testing.T, inner *lease, lastSent time.Time) *fencedLock {
	t.Helper()
	lock := &fencedLock{Interface: inner, clock: inner.clock, lastSent: func() time.Time { return lastSent }}
	write := lock.Update
	if _, _, err := lock.Get(t.Context()); errors.Is(err, errNoLease) {
		write = lock.Create
	}
	now := metav1.NewTime(inner.clock.Now())
	record := resourcelock.LeaderElectionRecord{HolderIdentity: "me", AcquireTime: now, RenewTime: now}
	if inner.record != nil {
		record.LeaderTransitions = inner.record.LeaderTransitions + 1
	}
	if err := write(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	return lock
}

// release ends a leader in good order, as client-go does it.
func release(t *testing.T, lock *fencedLock) {
	t.Helper()
	if _, _, err := lock.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := metav1.NewTime(lock.clock.Now())
	transitions := lock.Interface.(*lease).record.LeaderTransitions
	record := resourcelock.LeaderElectionRecord{RenewTime: now, AcquireTime: now, LeaderTransitions: transitions}
	if err := lock.Update(t.Context(), record); err != nil {
		t.Fatal(err)
	}
}

// A former version that leads next relies on it.
func TestLeaseShowsUntilWhenALeaderMayHaveSent(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	for name, c := range map[string]struct {
		before func(t *testing.T, inner *lease)
		want   time.Time
	}{
		"there was none": {func(*testing.T, *lease) {}, time.Time{}},
		"it died just now": {func(t *testing.T, inner *lease) {
			candidate(t, inner, time.Time{})
			inner.clock.SetTime(at(60).Add(-30 * time.Second))
			inner.record.RenewTime = metav1.NewTime(inner.clock.Now())
		}, at(60)},
		"it died long ago": {func(t *testing.T, inner *lease) { candidate(t, inner, at(0)) }, at(1)},
		"it ended in good order and has sent nothing": {func(t *testing.T, inner *lease) {
			lock := candidate(t, inner, time.Time{})
			inner.clock.SetTime(at(60))
			release(t, lock)
		}, time.Time{}},
		"it ended in good order after sending": {func(t *testing.T, inner *lease) {
			lock := candidate(t, inner, at(40))
			inner.clock.SetTime(at(60))
			release(t, lock)
		}, at(41)},
		"it ended in good order, and the one before died": {func(t *testing.T, inner *lease) {
			candidate(t, inner, time.Time{})
			inner.clock.SetTime(at(58))
			inner.record.RenewTime = metav1.NewTime(at(57))
			release(t, candidate(t, inner, time.Time{}))
		}, at(59)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := &lease{clock: clocktesting.NewFakeClock(start)}
			c.before(t, inner)
			inner.clock.SetTime(at(60))
			lock := candidate(t, inner, time.Time{})
			if !lock.sent.Equal(c.want) {
				t.Errorf("sent until %v, want %v", lock.sent, c.want)
			}
		})
	}
}

func TestALeaderKnowsItsTermAndTheLeaderBefore(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	inner := &lease{clock: clocktesting.NewFakeClock(start)}
	if _, led := (&fencedLock{Interface: inner, clock: inner.clock}).leads(); led {
		t.Error("a process that was not elected leads")
	}
	expect := func(step string, lock *fencedLock, want creation.Term) {
		t.Helper()
		got, led := lock.leads()
		if diff := cmp.Diff(want, got); diff != "" || !led {
			t.Errorf("%s: led %v\n%s", step, led, diff)
		}
	}
	first := candidate(t, inner, time.Time{})
	expect("there was none", first, creation.Term{Holder: "me", Acquired: start})
	inner.clock.Step(time.Hour)
	second := candidate(t, inner, time.Time{})
	expect("it died", second, creation.Term{
		Number: 1, Holder: "me", Acquired: start.Add(time.Hour), Former: &creation.Former{Holder: "me", Acquired: start},
	})
	expect("once the next one leads", first, creation.Term{Holder: "me", Acquired: start})
	inner.clock.Step(time.Hour)
	release(t, second)
	inner.clock.Step(time.Hour)
	expect("it ended in good order", candidate(t, inner, time.Time{}), creation.Term{
		Number: 2, Holder: "me", Acquired: start.Add(3 * time.Hour), Former: &creation.Former{Acquired: start.Add(time.Hour)},
	})
}
