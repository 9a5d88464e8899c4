package connection

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

func newLimiter() (*revokeLimiter, *clocktesting.FakeClock, *int) {
	now, reported := clocktesting.NewFakeClock(time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)), 0
	return &revokeLimiter{clock: now, changed: func() { reported++ }}, now, &reported
}

// takes tries to take a number of revokes, and returns how many were permitted.
func takes(l *revokeLimiter, times int) (gone int) {
	for range times {
		if l.take() == nil {
			gone++
		}
	}
	return gone
}

func TestTheRevokeLimiter(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		history func(*revokeLimiter, *clocktesting.FakeClock)
		// gone is how many of 50 revokes are permitted then.
		gone int
	}{
		"nothing happened":             {func(*revokeLimiter, *clocktesting.FakeClock) {}, 20},
		"some went":                    {func(l *revokeLimiter, _ *clocktesting.FakeClock) { takes(l, 5) }, 15},
		"some went, almost long ago":   {func(l *revokeLimiter, c *clocktesting.FakeClock) { takes(l, 5); c.Step(revokeWindow - 1) }, 15},
		"some went long ago":           {func(l *revokeLimiter, c *clocktesting.FakeClock) { takes(l, 20); c.Step(revokeWindow) }, 20},
		"some were not sent":           {func(l *revokeLimiter, _ *clocktesting.FakeClock) { takes(l, 20); l.giveBack(); l.giveBack() }, 2},
		"more were not sent than went": {func(l *revokeLimiter, _ *clocktesting.FakeClock) { l.giveBack() }, 20},
		"it has paused":                {func(l *revokeLimiter, _ *clocktesting.FakeClock) { takes(l, 21) }, 0},
		"it has paused long ago":       {func(l *revokeLimiter, c *clocktesting.FakeClock) { takes(l, 21); c.Step(24 * time.Hour) }, 0},
		"approved":                     {func(l *revokeLimiter, _ *clocktesting.FakeClock) { takes(l, 21); l.approve() }, 50},
		"approved a while ago": {func(l *revokeLimiter, c *clocktesting.FakeClock) {
			takes(l, 21)
			l.approve()
			c.Step(approvalLasts - 1)
		}, 50},
		"approved long ago":   {func(l *revokeLimiter, c *clocktesting.FakeClock) { takes(l, 21); l.approve(); c.Step(approvalLasts) }, 20},
		"approved in advance": {func(l *revokeLimiter, _ *clocktesting.FakeClock) { l.approve() }, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, now, _ := newLimiter()
			test.history(l, now)
			if gone := takes(l, 50); gone != test.gone {
				t.Errorf("%d revokes went, want %d", gone, test.gone)
			}
			if paused := l.waiting() != nil; paused != (test.gone < 50) {
				t.Errorf("paused: %v", paused)
			}
		})
	}
}

func TestTheRevokeLimiterReportsOnceThatItHasPaused(t *testing.T) {
	t.Parallel()
	l, _, reported := newLimiter()
	takes(l, 20)
	if *reported != 0 {
		t.Error("reported although nothing waits")
	}
	takes(l, 20)
	if *reported != 1 {
		t.Errorf("reported %d times", *reported)
	}
}

// Without an approval, no ten minutes contain more than twenty revokes, however they are requested.
func TestTheRevokeLimitHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l, now, _ := newLimiter()
		var gone []time.Time
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now.Step(time.Duration(rapid.IntRange(0, 300).Draw(t, "seconds")) * time.Second)
			for range takes(l, rapid.IntRange(0, 8).Draw(t, "asked")) {
				gone = append(gone, now.Now())
			}
		}
		for i := revokeLimit; i < len(gone); i++ {
			if within := gone[i].Sub(gone[i-revokeLimit]); within < revokeWindow {
				t.Fatalf("%d revokes within %v", revokeLimit+1, within)
			}
		}
	})
}

func TestARevokeLimiterOutlivesItsConnectionAndItsProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("keys", "key-one"))
	obj := connection("smile", "keys")
	takes(w.refresh(t, obj).limiter, 20)
	obj.Generation = 2
	if err := w.refresh(t, obj).limiter.take(); !errors.Is(err, errPaused) {
		t.Errorf("after a change: %v", err)
	}
	if err := w.refresh(t, connection("other", "keys")).limiter.take(); err != nil {
		t.Errorf("another connection: %v", err)
	}
	obj.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionRevokesAllowed, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRevokesPaused,
	}}
	next := newWorld(t, keys("keys", "key-one"))
	if err := next.refresh(t, obj).limiter.take(); !errors.Is(err, errPaused) {
		t.Errorf("in the next process: %v", err)
	}
}
