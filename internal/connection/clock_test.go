package connection

import (
	"net/http"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

func TestWhatASkewMeans(t *testing.T) {
	t.Parallel()
	type meaning struct{ noticed, stillNoticed, confirmed, excessive bool }
	for name, c := range map[string]struct {
		skew transport.Skew
		want meaning
	}{
		"unknown":                {transport.Skew{}, meaning{}},
		"none":                   {transport.Skew{Known: true}, meaning{confirmed: true}},
		"25 s":                   {transport.Skew{Ahead: 25 * time.Second, Known: true}, meaning{confirmed: true}},
		"26 s behind":            {transport.Skew{Ahead: -26 * time.Second, Known: true}, meaning{stillNoticed: true, confirmed: true}},
		"31 s":                   {transport.Skew{Ahead: 31 * time.Second, Known: true}, meaning{true, true, true, false}},
		"10 min":                 {transport.Skew{Ahead: 10 * time.Minute, Known: true}, meaning{true, true, true, false}},
		"more than 10 min":       {transport.Skew{Ahead: 10*time.Minute + 1, Known: true}, meaning{true, true, false, true}},
		"behind by more than it": {transport.Skew{Ahead: -10*time.Minute - 1, Known: true}, meaning{true, true, false, true}},
	} {
		s := Skew{c.skew}
		if got := (meaning{s.Noticed(false), s.Noticed(true), s.Confirmed(), s.Excessive()}); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestTheTimeIsRequestedOnceAndRetriedLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("keys", "key-one"))
	conn := w.refresh(t, connection("smile", "keys"))
	clock := w.config.Clock.(*clocktesting.FakeClock)
	if conn.Skew().Known || w.Skew().Known {
		t.Fatal("the time is known although no call was made")
	}
	w.status.Store(http.StatusInternalServerError) // it shows the time all the same
	for range 3 {
		_ = conn.AskTime(t.Context())
	}
	if calls := w.calls.Load(); calls > 2 || !conn.Skew().Confirmed() { // a GET that failed is sent again once
		t.Errorf("%d calls, skew %+v", calls, conn.Skew())
	}
	before := w.calls.Load()
	clock.Step(time.Hour)
	_ = conn.AskTime(t.Context())
	if w.calls.Load() != before {
		t.Error("the time was asked for although it is known")
	}

	down := newWorld(t, keys("keys", "key-one"))
	conn, clock = down.refresh(t, connection("smile", "keys")), down.config.Clock.(*clocktesting.FakeClock)
	down.check = func(*http.Request) { panic(http.ErrAbortHandler) }
	asked := func() int64 {
		before := down.calls.Load()
		_ = conn.AskTime(t.Context())
		return down.calls.Load() - before
	}
	if first, second := asked(), asked(); first == 0 || second != 0 {
		t.Errorf("%d calls, then %d at once", first, second)
	}
	clock.Step(askTimeEvery)
	if asked() == 0 {
		t.Error("it is not requested again")
	}
}

func TestWhoseClockCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("keys", "key-one"))
	if _, confirmed := w.Today(); confirmed {
		t.Error("the day is confirmed although no host has responded")
	}
	ref := v1alpha1.ConnectionReference{Name: "smile"}
	conn := w.refresh(t, connection("smile", "keys"))
	if err := conn.Prove(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if _, confirmed := w.Today(); !confirmed || !w.SkewOf("n", ref).Confirmed() {
		t.Error("the day is not confirmed")
	}
	if !w.SkewOf("n", v1alpha1.ConnectionReference{Name: "deleted"}).Confirmed() {
		t.Error("the time of other hosts does not count for a connection that is gone")
	}
	// A wrong clock of a host affects decisions of the whole process, but not those for connections to another host.
	w.clocks = transport.NewClocks(w.config.Clock)
	if w.SkewOf("n", v1alpha1.ConnectionReference{Name: "deleted"}).Known || !w.SkewOf("n", ref).Confirmed() {
		t.Error("a connection is judged by another clock than its host's")
	}
}
