//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const (
	// workers is how many users the operator creates at once at most: so many intents may have been stored, and their calls
	// be on their way, when storage goes away.
	workers = 16
	// wave is how many users are declared for each outage: many more than that.
	wave = 60
)

// long reports whether tests that take long are to run as well.
func long() bool { return os.Getenv("E2E_LONG") != "" }

// TestAPIServerOutages kills the API server while users are created, and starts it again a while later.
func TestAPIServerOutages(t *testing.T) {
	t.Parallel()
	spans := []time.Duration{time.Second, 10 * time.Second}
	if long() {
		spans = append(spans, time.Minute)
	}
	outages(t, spans, func(e *environment, meanwhile func()) { e.restartAPIServer(meanwhile) })
}

// TestEtcdPauses suspends etcd while users are created: requests to the API server hang, and a write may be carried out
// after its caller has given up.
func TestEtcdPauses(t *testing.T) {
	t.Parallel()
	spans := []time.Duration{5 * time.Second, 12 * time.Second}
	if long() {
		spans = append(spans, 30*time.Second)
	}
	e := outages(t, spans, func(e *environment, meanwhile func()) {
		e.t.Helper()
		for _, step := range []struct {
			signal syscall.Signal
			then   func()
		}{{syscall.SIGSTOP, meanwhile}, {syscall.SIGCONT, func() {}}} {
			if err := e.plane.Etcd.Signal(step.signal); err != nil {
				e.t.Fatal(err)
			}
			step.then()
		}
	})
	e.intendedFirst()
}

// outages makes storage unavailable while users are created, once for each span. Meanwhile only users whose intent was stored are
// created. In the end every user exists once.
func outages(t *testing.T, spans []time.Duration, away func(e *environment, meanwhile func())) *environment {
	t.Helper()
	e := apart(t).environment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	o := e.operator(t, e.only(), "--leader-elect")
	e.led("")
	for i, span := range spans {
		before := e.remote.mark()
		e.create(e.crowd(fmt.Sprintf("wave-%d", i), wave)...)
		within(t, takeover, "users are being created", func() (bool, string) {
			return len(e.remote.committed("create-user", before)) >= 5, e.calls(before)
		})
		began, mark, created := time.Now(), 0, 0
		away(e, func() {
			mark = e.remote.mark()
			during(t, span, func() string { return "" })
			created = len(e.remote.committed("create-user", mark))
		})
		if created > workers {
			t.Errorf("%d users were created while no intent could be stored for %s, want %d at most", created, span, workers)
		}
		restarted := false
		took := within(t, 2*takeover, "all users are Ready", func() (bool, string) {
			if !o.running() { // Kubernetes starts a leader again that ended because it could not renew its lease
				o.start()
				restarted = true
			}
			var list v1alpha1.SmileUserList
			if err := e.admin.List(t.Context(), &list, client.InNamespace(e.namespace)); err != nil {
				return false, err.Error()
			}
			state := notReady(list.Items, (i+1)*wave)
			return state == "", state
		})
		e.eachOnce((i + 1) * wave)
		t.Logf("storage was away for %s: %d users created meanwhile, the operator was restarted: %v; all Ready %s later",
			seconds(time.Since(began)-took), created, restarted, seconds(took))
	}
	return e
}
