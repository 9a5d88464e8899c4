//go:build e2e

package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// wakeLimit is how long a former leader may continue: it ends a renewal deadline of 20 s after it was resumed.
const wakeLimit = 40 * time.Second

// TestLeaderFailover pauses the leader in the middle of creating users, with one of its calls held on its way, lets
// another replica take over, and wakes the old leader at the two worst times: while the new one does not know yet
// what became of the old one's calls, and when everything is done.
func TestLeaderFailover(t *testing.T) {
	t.Parallel()
	for _, wakeWhenDone := range []bool{false, true} {
		name := "woken while the new leader is in doubt"
		if wakeWhenDone {
			name = "woken when all is done"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failOver(t, wakeWhenDone)
		})
	}
}

func failOver(t *testing.T, wakeWhenDone bool) {
	const users = 30
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	nobody := e.holder()
	old := e.operator(t, e.only(), "--leader-elect")
	leader := e.led(nobody)
	other := e.operator(t, e.only(), "--leader-elect")

	caught := e.remote.arm(1+random(t).IntN(users/3), arrived)
	e.create(e.crowd("user", users)...)
	within(t, takeover, "a call to create a user is caught", func() (bool, string) {
		return caught.isSprung(), e.calls(0)
	})
	old.signal(syscall.SIGSTOP)
	paused, mark := time.Now(), e.remote.mark()
	e.led(leader)
	took := time.Since(paused)
	within(t, time.Minute, "the new leader has listed the users", func() (bool, string) {
		for _, call := range e.remote.Journal(mark) {
			if call.Operation == "list-users" {
				return true, ""
			}
		}
		return false, e.calls(mark)
	})
	caught.release()
	t.Logf("another replica led %s after the leader was paused with %d users created", seconds(took), len(e.remote.committed("create-user", 0)))

	if !wakeWhenDone {
		old.wake()
	}
	e.allReady(users, 4*time.Minute)
	t.Logf("%d users Ready %s after the pause", users, seconds(time.Since(paused)))
	if wakeWhenDone {
		old.wake()
	}
	during(t, 5*time.Second, func() string { return e.unready(users) })
	e.eachOnce(users)
	t.Logf("calls: %s; largest second %d", e.calls(0), e.remote.Stats().PeakRPS)
	other.stop()
	if holder := e.holder(); holder != "" {
		t.Errorf("a leader that was stopped still holds the lease, as %q", holder)
	}
}

// wake resumes a paused leader whose lease another process has taken: it must notice that, and end.
func (o *operator) wake() {
	o.t.Helper()
	began := time.Now()
	o.signal(syscall.SIGCONT)
	within(o.t, wakeLimit, "the former leader has ended", func() (bool, string) { return !o.running(), o.tail() })
	o.t.Logf("the former leader ended %s after it was woken", seconds(time.Since(began)))
	if o.process.Err() == nil {
		o.t.Error("a leader that lost its lease ended as if nothing was wrong")
	}
}

// led waits until another process leads, and returns it.
func (e *environment) led(before string) string {
	e.t.Helper()
	var holder string
	within(e.t, time.Minute, "another replica leads", func() (bool, string) {
		holder = e.holder()
		return holder != "" && holder != before, fmt.Sprintf("the lease is held by %q", holder)
	})
	return holder
}

// holder returns the process that leads; "" if none does.
func (e *environment) holder() string {
	e.t.Helper()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: account.Namespace, Name: e.namespace}}
	if !e.get(lease) {
		return ""
	}
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}
