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

func newBrake() (*brake, *clocktesting.FakeClock, *int) {
	now, told := clocktesting.NewFakeClock(time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)), 0
	return &brake{clock: now, told: func() { told++ }}, now, &told
}

// takes takes so many, and tells how many of them may go.
func takes(b *brake, times int) (gone int) {
	for range times {
		if b.take() == nil {
			gone++
		}
	}
	return gone
}

func TestTheBrake(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		history func(*brake, *clocktesting.FakeClock)
		// gone is how many of 50 revokes go then.
		gone int
	}{
		"nothing happened":             {func(*brake, *clocktesting.FakeClock) {}, 20},
		"some went":                    {func(b *brake, _ *clocktesting.FakeClock) { takes(b, 5) }, 15},
		"some went, almost long ago":   {func(b *brake, c *clocktesting.FakeClock) { takes(b, 5); c.Step(brakeWindow - 1) }, 15},
		"some went long ago":           {func(b *brake, c *clocktesting.FakeClock) { takes(b, 20); c.Step(brakeWindow) }, 20},
		"some were not sent":           {func(b *brake, _ *clocktesting.FakeClock) { takes(b, 20); b.giveBack(); b.giveBack() }, 2},
		"more were not sent than went": {func(b *brake, _ *clocktesting.FakeClock) { b.giveBack() }, 20},
		"it has stopped":               {func(b *brake, _ *clocktesting.FakeClock) { takes(b, 21) }, 0},
		"it has stopped long ago":      {func(b *brake, c *clocktesting.FakeClock) { takes(b, 21); c.Step(24 * time.Hour) }, 0},
		"approved":                     {func(b *brake, _ *clocktesting.FakeClock) { takes(b, 21); b.approve() }, 50},
		"approved a while ago":         {func(b *brake, c *clocktesting.FakeClock) { takes(b, 21); b.approve(); c.Step(approved - 1) }, 50},
		"approved long ago":            {func(b *brake, c *clocktesting.FakeClock) { takes(b, 21); b.approve(); c.Step(approved) }, 20},
		"approved in advance":          {func(b *brake, _ *clocktesting.FakeClock) { b.approve() }, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, now, _ := newBrake()
			test.history(b, now)
			if gone := takes(b, 50); gone != test.gone {
				t.Errorf("%d revokes went, want %d", gone, test.gone)
			}
			if stopped := b.paused() != nil; stopped != (test.gone < 50) {
				t.Errorf("stopped: %v", stopped)
			}
		})
	}
}

func TestTheBrakeTellsOnceThatItHasStopped(t *testing.T) {
	t.Parallel()
	b, _, told := newBrake()
	takes(b, 20)
	if *told != 0 {
		t.Error("told though nothing waits")
	}
	takes(b, 20)
	if *told != 1 {
		t.Errorf("told %d times", *told)
	}
}

// However revokes are asked for, without approval no ten minutes hold more than twenty.
func TestTheBrakeHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, now, _ := newBrake()
		var gone []time.Time
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now.Step(time.Duration(rapid.IntRange(0, 300).Draw(t, "seconds")) * time.Second)
			for range takes(b, rapid.IntRange(0, 8).Draw(t, "asked")) {
				gone = append(gone, now.Now())
			}
		}
		for i := brakeLimit; i < len(gone); i++ {
			if within := gone[i].Sub(gone[i-brakeLimit]); within < brakeWindow {
				t.Fatalf("%d revokes within %v", brakeLimit+1, within)
			}
		}
	})
}

func TestABrakeOutlivesItsConnectionAndItsProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("keys", "key-one"))
	obj := connection("smile", "keys")
	takes(w.refresh(t, obj).brake, 20)
	obj.Generation = 2
	if err := w.refresh(t, obj).TakeRevoke(); !errors.Is(err, errPaused) {
		t.Errorf("after a change: %v", err)
	}
	if err := w.refresh(t, connection("other", "keys")).TakeRevoke(); err != nil {
		t.Errorf("another connection: %v", err)
	}
	obj.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionRevokesAllowed, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRevokesPaused,
	}}
	next := newWorld(t, keys("keys", "key-one"))
	if err := next.refresh(t, obj).TakeRevoke(); !errors.Is(err, errPaused) {
		t.Errorf("in the next process: %v", err)
	}
}
