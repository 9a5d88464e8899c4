package mirror

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// A listing panics while a reconcile waits for it, and in a poll.
func TestAListingThatPanicsIsRetried(t *testing.T) {
	before := testutil.ToFloat64(panics)
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.set("users", marked("u1", "uid-george", "digest-george", 0))
		r.during = func(call int) {
			if call == 1 {
				panic("a person's name")
			}
		}
		if _, err := m.Find(t.Context(), george, time.Time{}); !errors.Is(err, errPanicked) {
			t.Errorf("while it panics: %v", err)
		}
		if found, err := m.Find(t.Context(), george, time.Time{}); err != nil || len(found.Own) != 1 {
			t.Errorf("after it has: %v, %v", found, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 8)
		w.remote.during = func(int) { panic("a person's name") }
		w.RequestRefresh("u3")
		w.live(t, 2*tick)
		w.expect(t, "in a poll", map[string]int{"accounts": 1})
		w.live(t, pollRetry-3*tick)
		w.expect(t, "before it is retried", map[string]int{})
		w.live(t, 2*tick)
		w.expect(t, "when it is retried", map[string]int{"accounts": 1})
		w.remote.during = func(int) {}
		w.live(t, longestRetry)
		if !w.AccountsReadSince("u3", time.Now().Add(-longestRetry)) {
			t.Error("a requested refresh was not made in the end")
		}
	})
	if got := testutil.ToFloat64(panics) - before; got != 3 {
		t.Errorf("%v panics were counted", got)
	}
}

func TestClaimsOfADeletedUserAreDropped(t *testing.T) {
	t.Parallel()
	set := NewSet(t.Context(), Config{Clock: clock.RealClock{}})
	m := newShared(set, "account")
	set.mirrors["account"] = m
	gone, stays := types.NamespacedName{Namespace: "shop", Name: "gone"}, types.NamespacedName{Namespace: "shop", Name: "stays"}
	m.Claim("u1", Claim{Object: gone, UID: "1"})
	m.Claim("u2", Claim{Object: stays, UID: "2"})
	set.ForgetClaims(gone)
	if len(m.byUser) != 1 || m.Claim("u2", Claim{UID: "3"}).Object != stays {
		t.Errorf("claims: %v", m.byUser)
	}
}

// The only connection of an API account is deleted.
func TestTheMirrorOfADeletedConnectionIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 2)
		held := func() bool { w.set.forgetUnused(); return len(w.set.all()) == 1 }
		w.live(t, 2*unusedFor)
		if !held() {
			t.Error("a mirror that has a connection was dropped")
		}
		w.conn.err = problem.NewWaiting(v1alpha1.ReasonConnectionNotFound, "gone")
		w.set.For(w.conn.conn) // as the last reconcile did
		w.live(t, unusedFor-time.Minute)
		if !held() {
			t.Error("it was dropped while a reconcile may still hold it")
		}
		w.live(t, 2*unusedFor)
		if held() {
			t.Error("it was not dropped")
		}
		if again := w.set.For(w.conn.conn); again.shared == w.shared || len(w.set.all()) != 1 {
			t.Error("a new connection gets the mirror that was dropped")
		}
	})
}
