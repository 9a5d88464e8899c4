package connection

import (
	"context"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

func newDeclared(perDay int, before ...time.Time) (*declaredLimiter, *clocktesting.FakeClock, *int) {
	now, reported := clocktesting.NewFakeClock(time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)), 0
	d := &declaredLimiter{
		clock: now, changed: func() { reported++ }, before: func(context.Context) ([]time.Time, error) { return before, nil },
	}
	d.limit(perDay)
	return d, now, &reported
}

// gone tries to take a number of revokes, and returns how many were permitted.
func (d *declaredLimiter) gone(t *testing.T, times int) (gone int) {
	t.Helper()
	for range times {
		err := d.take(t.Context())
		switch {
		case err == nil:
			gone++
		case !problem.Is(err, v1alpha1.ReasonRevokeLimitReached):
			t.Fatal(err)
		}
	}
	return gone
}

// Three thousand people a day, every day, need no approval, and take nothing from the revoke limiter.
func TestThreeThousandReleasesADayNeedNoApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("keys", "key-one"))
	obj := connection("smile", "keys")
	conn := w.refresh(t, obj)
	clock := w.config.Clock.(*clocktesting.FakeClock)
	const aDay = 3000
	for i := range 3 * aDay {
		clock.Step(24 * time.Hour / aDay)
		if err := conn.limiter.declared.take(t.Context()); err != nil {
			t.Fatalf("release %d: %v", i, err)
		}
	}
	if err := w.RevokesPaused(obj); err != nil {
		t.Errorf("an approval is asked for: %v", err)
	}
	for i := range revokeLimit {
		if err := conn.limiter.take(); err != nil {
			t.Errorf("deletion %d: %v", i, err)
		}
	}
	if err := conn.limiter.declared.take(t.Context()); err != nil {
		t.Errorf("after the deletions: %v", err)
	}
}

func TestTheLimitOfDeclaredRevokes(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		before  []time.Time
		history func(*testing.T, *declaredLimiter, *clocktesting.FakeClock)
		// gone is how many of 10 revokes are permitted then, with a limit of 5 a day.
		gone int
	}{
		"nothing happened": {nil, func(*testing.T, *declaredLimiter, *clocktesting.FakeClock) {}, 5},
		"some went":        {nil, func(t *testing.T, d *declaredLimiter, _ *clocktesting.FakeClock) { d.gone(t, 3) }, 2},
		"some went almost a day ago": {nil, func(t *testing.T, d *declaredLimiter, c *clocktesting.FakeClock) {
			d.gone(t, 3)
			c.Step(24 * time.Hour)
		}, 2},
		"some went a day ago": {nil, func(t *testing.T, d *declaredLimiter, c *clocktesting.FakeClock) {
			d.gone(t, 5)
			c.Step(24*time.Hour + time.Minute)
		}, 5},
		"some were not sent": {nil, func(t *testing.T, d *declaredLimiter, _ *clocktesting.FakeClock) {
			d.gone(t, 5)
			d.giveBack()
			d.giveBack()
		}, 2},
		"the limit was raised":  {nil, func(t *testing.T, d *declaredLimiter, _ *clocktesting.FakeClock) { d.gone(t, 6); d.limit(8) }, 3},
		"the limit was lowered": {nil, func(t *testing.T, d *declaredLimiter, _ *clocktesting.FakeClock) { d.gone(t, 3); d.limit(2) }, 0},
		"the process before made some": {
			[]time.Time{noon.Add(-23 * time.Hour), noon.Add(-time.Minute), noon.Add(-25 * time.Hour)},
			func(*testing.T, *declaredLimiter, *clocktesting.FakeClock) {}, 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, now, _ := newDeclared(5, test.before...)
			test.history(t, d, now)
			if gone := d.gone(t, 10); gone != test.gone {
				t.Errorf("%d revokes went, want %d", gone, test.gone)
			}
			if d.waiting(t.Context()) == nil {
				t.Error("it does not say that the limit is reached")
			}
		})
	}
}

func TestTheLimitReportsWhenItIsReachedAndWhenItIsNot(t *testing.T) {
	t.Parallel()
	d, now, reported := newDeclared(2)
	if d.gone(t, 2); *reported != 0 {
		t.Error("reported although nothing waits")
	}
	if d.gone(t, 3); *reported != 1 {
		t.Errorf("the limit was reported %d times", *reported)
	}
	now.Step(25 * time.Hour)
	if d.waiting(t.Context()) != nil || *reported != 2 {
		t.Errorf("reported %d times after the limit was no longer reached, want 2", *reported)
	}
}

func TestEarlierRevokesAreCountedOnceTheyCanBeRead(t *testing.T) {
	t.Parallel()
	d, now, _ := newDeclared(1)
	unknown := errors.New("the cache is not there")
	d.before = func(context.Context) ([]time.Time, error) { return nil, unknown }
	if err := d.take(t.Context()); !errors.Is(err, unknown) {
		t.Errorf("a revoke was sent although the count failed: %v", err)
	}
	d.before = func(context.Context) ([]time.Time, error) { return []time.Time{now.Now()}, nil }
	if gone := d.gone(t, 1); gone != 0 {
		t.Error("a revoke was sent beyond the limit")
	}
}

// If more revokes are requested than the limit permits, the condition of the connection stays until a part of the limit is free.
func TestTheConditionDoesNotChangeWithEachRevoke(t *testing.T) {
	t.Parallel()
	d, now, reported := newDeclared(100)
	for range 100 {
		d.gone(t, 1)
		now.Step(10 * time.Minute)
	}
	d.gone(t, 1)
	now.Step(24*time.Hour - 1000*time.Minute)
	for range 60 {
		now.Step(10 * time.Minute)
		d.gone(t, 5)
		if d.shown(t.Context()) == nil {
			t.Fatal("it does not show that the limit is reached")
		}
	}
	if *reported != 1 {
		t.Errorf("reported %d times", *reported)
	}
	now.Step(5 * 10 * time.Minute)
	if d.shown(t.Context()) != nil {
		t.Error("it still shows that the limit is reached")
	}
}

// No 24 hours contain more revokes than the limit, however they are requested.
func TestTheLimitHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		const perDay = 7
		d, now, _ := newDeclared(perDay)
		var gone []time.Time
		for range rapid.IntRange(1, 100).Draw(rt, "steps") {
			now.Step(time.Duration(rapid.IntRange(0, 500).Draw(rt, "minutes")) * time.Minute)
			for range d.gone(t, rapid.IntRange(0, 8).Draw(rt, "asked")) {
				gone = append(gone, now.Now())
			}
		}
		for i := perDay; i < len(gone); i++ {
			if within := gone[i].Sub(gone[i-perDay]); within < declaredWindow {
				rt.Fatalf("%d revokes within %v", perDay+1, within)
			}
		}
	})
}

// The statuses show what the previous process has released.
func TestTheReleasesOfAConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.config.Clock.Now()
	at := func(ago time.Duration) v1alpha1.SyncedAccount {
		return v1alpha1.SyncedAccount{ID: ago.String(), ReleasedAt: &metav1.Time{Time: now.Add(-ago)}}
	}
	for name, conn := range map[string]string{"mine": "smile", "other": "another"} {
		user := &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}}
		user.Spec.ConnectionRef.Name = conn
		if err := w.kube.Create(t.Context(), user); err != nil {
			t.Fatal(err)
		}
	}
	for name, accounts := range map[string][]v1alpha1.SyncedAccount{
		"mine": {at(time.Hour), at(25 * time.Hour), {ID: "kept"}}, "other": {at(time.Minute)}, "deleted": {at(2 * time.Hour)},
	} {
		sync := &v1alpha1.SmileAccountSync{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}}
		sync.Spec.UserRef.Name, sync.Status.Accounts = name, accounts
		if err := w.kube.Create(t.Context(), sync); err != nil {
			t.Fatal(err)
		}
	}
	conn := connection("smile", "keys")
	conn.Spec.Revokes = &v1alpha1.DeclaredRevokes{PerDay: 3}
	limit := w.limiterOf(conn).declared
	if gone := limit.gone(t, 3); gone != 1 {
		t.Errorf("%d more revokes are permitted, want 1: those of the user's sync and of a deleted user's sync count", gone)
	}
}
