//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TestDeclaredAgainAfterTheLeaderWasKilled kills the leader when Smile has made a user and not answered yet, and has the object
// deleted and declared again before another replica leads. Only the creation log shows the call. The person waits and is
// attached; other new users wait for the lease only.
func TestDeclaredAgainAfterTheLeaderWasKilled(t *testing.T) {
	t.Parallel()
	const (
		lease   = 30 * time.Second
		patient = lease + 6*time.Second
	)
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit, Quirks: map[string]string{"list-lag": "100s"}}, v1alpha1.SmileConnectionSpec{})
	nobody := e.holder()
	old := e.operator(t, e.only(), "--leader-elect")
	leader := e.led(nobody)
	e.operator(t, e.only(), "--leader-elect")
	early := e.user("early")
	e.create(early)
	e.becomes(early, "True/Succeeded", time.Minute)

	caught := e.remote.arm(1, made)
	george := e.user("george")
	e.create(george)
	within(t, time.Minute, "the call is caught", func() (bool, string) { return caught.isSprung(), e.calls(0) })
	old.kill()
	killed := time.Now()
	e.delete(george)
	again, another := e.user("george"), e.user("another")
	e.create(again, another)
	e.led(leader)
	e.becomes(another, "True/Succeeded", time.Minute)
	took := time.Since(killed)
	t.Logf("another new user was Ready %s after the leader was killed", seconds(took))
	if took > 2*patient {
		t.Errorf("it took %s, want about %s", seconds(took), seconds(patient))
	}
	e.becomes(again, "True/Succeeded", 4*time.Minute)
	caught.release()
	t.Logf("the one declared again %s after", seconds(time.Since(killed)))
	e.eachOnce(3)
}
