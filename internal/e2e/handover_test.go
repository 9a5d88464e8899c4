//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const (
	// handoverRate is how many tokens are requested in a second.
	handoverRate = 30
	// handoverPeople is for how many people.
	handoverPeople = 20
	// secondTry is how long the second try of a request may take.
	secondTry = 3 * time.Second
	// endpointLag is how long a Service still selects a replica that is to end.
	endpointLag = time.Second
	// leaseAndMore is the lease, and the time in which the next leader must create users.
	leaseAndMore = 36 * time.Second
)

// try is one request for a token, and what came of it.
type try struct {
	at     time.Time
	took   time.Duration
	status int
	reason string
	// unreached is true if no process listened, so that a Service would have chosen another replica.
	unreached bool
}

func (t try) String() string {
	return fmt.Sprintf("%d %s after %s (unreached: %v)", t.status, t.reason, t.took.Round(time.Millisecond), t.unreached)
}

// load requests tokens for known people at both replicas in turn.
type load struct {
	b        *backend
	replicas []*server
	// tokens of the callers, of which each may make 20 calls a second.
	tokens []string
	// deselected is true once the Service no longer selects the first replica, because it is not ready.
	deselected atomic.Bool

	mu sync.Mutex
	// first and second are the tries of each request; there is a second one if the first failed.
	first, second []try
}

// tryOnce makes one request, with a deadline.
func (l *load) tryOnce(ctx context.Context, replica *server, n int, limit time.Duration) try {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	url := "https://" + replica.address + "/v1/namespaces/" + l.b.e.namespace + "/smileusers/" + fmt.Sprintf("known-%03d", n%handoverPeople) + "/token"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return try{reason: err.Error()}
	}
	r.Header.Set("Authorization", "Bearer "+l.tokens[n%len(l.tokens)])
	made := try{at: began}
	answer, err := l.b.transport.RoundTrip(r)
	if err == nil {
		defer answer.Body.Close()
		var body struct{ AccessToken, Reason string }
		err = json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&body)
		made.status, made.reason = answer.StatusCode, body.Reason
	}
	if err != nil {
		made.status, made.reason = 0, err.Error()
	}
	var dial *net.OpError
	made.unreached = errors.As(err, &dial) && dial.Op == "dial"
	made.took = time.Since(began)
	return made
}

// request asks one replica, and if that fails, the other.
func (l *load) request(ctx context.Context, n int) {
	if l.deselected.Load() {
		n |= 1
	}
	first := l.tryOnce(ctx, l.replicas[n%2], n, secondTry)
	var second []try
	if first.status != http.StatusCreated && ctx.Err() == nil {
		second = append(second, l.tryOnce(ctx, l.replicas[(n+1)%2], n, 2*secondTry))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first, l.second = append(l.first, first), append(l.second, second...)
}

// run makes requests until stop is called, which waits for those that are under way.
func (l *load) run(t *testing.T) (stop func()) {
	end := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(time.Second / handoverRate)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-end:
				return
			case <-tick.C:
				running.Go(func() { l.request(t.Context(), n) })
			}
		}
	})
	return sync.OnceFunc(func() {
		close(end)
		running.Wait()
	})
}

// failedTries returns the failed requests that had reached a replica.
func failedTries(tries []try) []try {
	return slices.DeleteFunc(slices.Clone(tries), func(t try) bool { return t.status == http.StatusCreated || t.unreached })
}

// TestHandoverUnderLoad has a backend request tokens of known people at two replicas while the leader ends in each way, and
// others create users. It measures times, so it does not run in parallel with other tests.
func TestHandoverUnderLoad(t *testing.T) {
	for name, test := range map[string]struct {
		signal syscall.Signal
		// orderly is true if no request may fail.
		orderly bool
	}{
		"SIGTERM": {syscall.SIGTERM, true},
		"SIGKILL": {syscall.SIGKILL, false},
		"SIGSTOP": {syscall.SIGSTOP, false},
	} {
		t.Run(name, func(t *testing.T) { handOver(t, test.signal, test.orderly) })
	}
}

func handOver(t *testing.T, signal syscall.Signal, orderly bool) {
	e := newEnvironment(t, sandbox.Options{RateLimit: 60}, v1alpha1.SmileConnectionSpec{})
	e.asReleased()
	b := e.backend()
	flags := []string{"--leader-elect", "--api-requests-per-second=50", "--standby-requests-per-second=35"}
	leader := b.server(flags...)
	first := e.led("")
	standby := b.server(flags...)
	e.create(e.crowd("known", handoverPeople)...)
	e.allReady(handoverPeople, time.Minute)
	within(t, time.Minute, "each replica mints tokens", func() (bool, string) {
		one, two := b.mint(leader, "known-000"), b.mint(standby, "known-000")
		return one.status == http.StatusCreated && two.status == http.StatusCreated, one.Reason + ", " + two.Reason
	})

	l := &load{b: b, replicas: []*server{leader, standby}, tokens: []string{b.token, e.caller("second"), e.caller("third")}}
	stop := l.run(t)
	defer stop()
	during(t, 3*time.Second, standby.alive)
	ended := time.Now()
	leader.signal(signal)
	if signal == syscall.SIGSTOP {
		leader.paused()
	}
	if orderly {
		defer time.AfterFunc(endpointLag, func() { l.deselected.Store(true) }).Stop()
	}
	e.create(e.user("new"))
	e.becomes(e.user("new"), "True/Succeeded", time.Minute)
	created := time.Since(ended)
	e.led(first)
	during(t, 3*time.Second, standby.alive)
	stop()

	if created > leaseAndMore {
		t.Errorf("a user that was declared when the leader ended was created after %s", seconds(created))
	}
	failed := failedTries(l.first)
	if orderly {
		for _, one := range failed {
			t.Errorf("a request failed %s after the leader was to end: %s", one.at.Sub(ended), one)
		}
	}
	longest := time.Duration(0)
	for _, again := range l.second {
		longest = max(longest, again.took)
		if again.status != http.StatusCreated || again.took > secondTry {
			t.Errorf("the second try, %s after the leader ended: %s", again.at.Sub(ended), again)
		}
	}
	if peak := e.remote.Stats().PeakRPS; peak > 60 {
		t.Errorf("%d calls in a second", peak)
	}
	t.Logf("%d requests, %d of them failed at first, %d were made again, in %s at most; created after %s; largest second %d; %s",
		len(l.first), len(failed), len(l.second), seconds(longest), seconds(created), e.remote.Stats().PeakRPS, e.calls(0))
	e.eachOnce(handoverPeople + 1)
}

// paused waits until no thread of a process that was sent SIGSTOP runs any more. On a busy machine that takes a moment.
func (o *operator) paused() {
	o.t.Helper()
	within(o.t, time.Minute, "the process is stopped", func() (bool, string) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", o.process.PID()))
		if err != nil || len(threads) == 0 {
			return false, "no threads are known"
		}
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			_, state, found := bytes.Cut(stat, []byte(") "))
			if err != nil || !found || state[0] != 'T' {
				return false, "a thread runs"
			}
		}
		return true, ""
	})
}

// TestAForgedLeaderGetsNoToken puts another process at the address of the leader that was killed, and into its place in the
// Lease: it gets no bearer token, and the standby serves by itself.
func TestAForgedLeaderGetsNoToken(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	b := e.backend()
	leader := b.server("--leader-elect")
	e.led("")
	standby := b.server("--leader-elect")
	e.create(e.user("george"))
	within(t, time.Minute, "the standby passes calls on", func() (bool, string) {
		got := b.mint(standby, "george")
		return got.status == http.StatusCreated, got.Reason
	})
	before := len(leader.calls(t))
	leader.kill()
	forger := forge(t, leader.address)
	for range 3 {
		if got := b.mint(standby, "george"); got.status != http.StatusCreated {
			t.Errorf("%d %s", got.status, got.Reason)
		}
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: account.Namespace, Name: e.namespace}}
	if !e.get(lease) || lease.Annotations["smile-operator.io/leader"] == "" {
		t.Errorf("the Lease does not name the leader's address: %v", lease.Annotations)
	}
	if len(leader.calls(t)) != before {
		t.Error("the leader that was killed answered")
	}
	within(t, 10*time.Second, "the forger was called", func() (bool, string) { return len(forger.heads()) > 0, "" })
	if heads := forger.heads(); slices.ContainsFunc(heads, func(h []byte) bool { return len(Search(h, b.token)) > 0 }) {
		t.Errorf("the forger was called %d times, and must get no token", len(heads))
	}
}
