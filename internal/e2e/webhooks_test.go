//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const eventsPerSecond = 50

// TestNoEventIsLost sends 50 genuine events a second while everything changes that can: the secret, the event types, the
// URL, the processes, the leader, the API server. None is rejected as forged, and all acknowledged events are stored.
func TestNoEventIsLost(t *testing.T) {
	t.Parallel()
	e := apart(t).environment(t, sandbox.Options{AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
	secret := e.hookSecret(strings.Repeat("a", 40))
	sub := e.hook("events")
	e.create(secret, sub)
	e.create(e.crowd("person", 20)...)

	replicas := make([]*operator, 2)
	addresses := []string{freeAddress(t), freeAddress(t)}
	flags := func(i int, base string) []string {
		return []string{
			e.only(), "--leader-elect", "--receiver-bind-address=" + addresses[i], "--receiver-base-url=" + receivers + base,
			"--webhook-overlap=" + overlap.String(), "--api-requests-per-second=0",
		}
	}
	for i := range replicas {
		replicas[i] = e.operator(t, flags(i, "")...)
	}
	e.allReady(20, 2*time.Minute)
	e.becomes(sub, "True/Succeeded", time.Minute)
	sender := e.sender(addresses...)
	only := func(what string, limit time.Duration) {
		before := e.registered()[0].ID
		took := within(t, limit, what+" has replaced the webhook", func() (bool, string) {
			all := e.registered()
			return len(all) == 1 && all[0].ID != before, fmt.Sprintf("%d webhooks", len(all))
		})
		t.Logf("%s replaced the webhook in %s", what, seconds(took))
	}

	people := slices.Collect(maps.Values(e.ids()))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		sender.run(ctx, eventsPerSecond, []string{"TASK_FINISHED", "IDENTITY_ADDED", "ACCOUNT_DISCONNECTED", "SOMETHING_NEW", "INCOMES_ADDED"}, people)
	}()
	t.Cleanup(func() { stop(); <-done })

	e.patch(secret, `{"stringData":{"secret":"`+strings.Repeat("b", 50)+`"}}`)
	only("another secret", time.Minute)
	e.patch(sub, `{"spec":{"eventTypes":["TASK_FINISHED","ACCOUNT_DISCONNECTED"]}}`)
	only("another choice of events", time.Minute)
	e.patch(sub, `{"spec":{"secretRef":null}}`)
	only("a secret of our own", time.Minute)

	e.delete(&corev1.Secret{ObjectMeta: e.named("events-webhook")})
	leader := e.leading(replicas)
	leader.kill()
	leader.start()
	only("a deleted Secret, with the leader killed", 2*time.Minute)

	for i, o := range replicas {
		o.stop()
		o.flags = append(o.flags[:3], flags(i, "/behind/a/prefix")...)
		o.start()
		within(t, time.Minute, "a replica takes events again", func() (bool, string) { return o.scrape() != nil, o.tail() })
	}
	only("another URL", 2*time.Minute)

	e.restartAPIServer(func() {})
	for _, o := range replicas {
		if !o.running() { // a leader that could not renew its lease ends, and Kubernetes starts it again
			o.start()
		}
	}
	leader = e.leading(replicas)
	leader.signal(syscall.SIGKILL)
	<-leader.process.Done()
	leader.start()
	during(t, 10*time.Second, func() string { return "" })

	stop()
	<-done
	sender.report()
	e.becomes(sub, "True/Succeeded", time.Minute)
	if all := e.registered(); len(all) != 1 {
		t.Errorf("%d webhooks at rest", len(all))
	}
	if sender.statuses[204] < 1000 {
		t.Errorf("only %d events were acknowledged", sender.statuses[204])
	}
}

// restartAPIServer kills the API server, and starts it again after the given function returns: asked to stop, it would wait
// for the watches to end.
func (e *environment) restartAPIServer(meanwhile func()) {
	e.t.Helper()
	began := time.Now()
	e.plane.APIServer.Kill()
	meanwhile()
	if err := e.plane.APIServer.Start(context.Background()); err != nil {
		e.t.Fatal(err)
	}
	e.away = append(e.away, [2]time.Time{began, time.Now().Add(time.Second)})
	e.t.Logf("the API server was away for %s", seconds(time.Since(began)))
}

// leading waits until one of the replicas leads, and returns it.
func (e *environment) leading(replicas []*operator) *operator {
	e.t.Helper()
	var found *operator
	within(e.t, time.Minute, "somebody leads", func() (bool, string) {
		for _, o := range replicas {
			if o.running() && o.metric("leader_election_master_status") > 0 {
				found = o
				return true, ""
			}
		}
		return false, "nobody leads"
	})
	return found
}

// flood reports whether to send at the highest sustained rate, for the full time.
func flood() bool { return os.Getenv("E2E_FLOOD") != "" }

const (
	forgedPerSecond = 2000
	// fewForged and slowAnswer are for busy machines, as in CI.
	fewForged        = 500
	slowAnswer       = 5 * time.Second
	genuinePerSecond = 200
	shortFlood       = 10 * time.Second
	longFlood        = 60 * time.Second
)

// TestForgeriesDoNotDrownEvents sends forged requests in addition to 200 genuine events a second: 500 a second, or 2,000 with
// E2E_FLOOD.
func TestForgeriesDoNotDrownEvents(t *testing.T) {
	span, rate, slowest := shortFlood, fewForged, slowAnswer
	if flood() {
		span, rate, slowest = longFlood, forgedPerSecond, time.Second
	}
	e := newEnvironment(t, sandbox.Options{AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
	e.asReleased()
	o, people, sender := e.withEvents(50)
	// memory is what the operator had at most, sampled while it is sent to.
	run := func(span time.Duration, rate int) (forged int, memory float64) {
		ctx, stop := context.WithTimeout(t.Context(), span)
		defer stop()
		var work sync.WaitGroup
		work.Go(func() { forged = e.forge(ctx, sender.addresses[0], rate) })
		// These events are grouped for five seconds, so that they cause none of the writes that are counted.
		work.Go(func() {
			sender.run(ctx, genuinePerSecond, []string{"IDENTITY_ADDED", "TASK_STARTED", "INCOMES_ADDED"}, people)
		})
		for ctx.Err() == nil {
			memory = max(memory, o.metric("process_resident_memory_bytes"))
			<-time.After(500 * time.Millisecond)
		}
		work.Wait()
		return forged, memory
	}
	_, before := run(3*time.Second, 100)
	place := e.end()
	forged, after := run(span, rate)
	writes := len(e.writes(place))
	sender.report()
	grown := (after - before) / (1 << 20)
	t.Logf("%d forged in %s: memory grew by %.1f MiB, %.1f writes a second to the API server; receiver: %.0f accepted, %.0f unauthorized, %.0f rate limited, %.0f overloaded",
		forged, span, grown, float64(writes)/span.Seconds(), o.metric("smile_operator_webhook_requests_total", "accepted"),
		o.metric("smile_operator_webhook_requests_total", "unauthorized"), o.metric("smile_operator_webhook_requests_total", "rate_limited"),
		o.metric("smile_operator_webhook_requests_total", "overloaded"))
	if least := float64(rate) * span.Seconds() * .5; float64(forged) < least {
		t.Errorf("%d requests were forged, want at least %.0f", forged, least)
	}
	if p99 := quantile(sender.took, .99); p99 > slowest {
		t.Errorf("genuine events were acknowledged within p99 %s", p99)
	}
	if grown > 64 {
		t.Errorf("memory grew by %.1f MiB", grown)
	}
	if perSecond := float64(writes) / span.Seconds(); perSecond > 50 {
		t.Errorf("%.1f writes a second to the API server", perSecond)
	}
	if sender.lost > 0 || sender.statuses[204] == 0 {
		t.Errorf("%d genuine events lost, %d kept", sender.lost, sender.statuses[204])
	}
}

// forge sends a number of forged requests a second until ctx ends, at most a hundred at once, and returns how many were answered.
func (e *environment) forge(ctx context.Context, address string, rate int) int {
	const workers = 100
	transport := &http.Transport{MaxIdleConnsPerHost: workers, MaxConnsPerHost: workers}
	defer transport.CloseIdleConnections()
	var answered atomic.Int64
	turns := make(chan int)
	var work sync.WaitGroup
	for range workers {
		work.Go(func() {
			for i := range turns {
				if forgery(ctx, transport, fmt.Sprintf("http://%s/hooks/v1/%d", address, i)) {
					answered.Add(1)
				}
			}
		})
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for began, i := time.Now(), 0; ctx.Err() == nil; <-tick.C {
		for due := int(time.Since(began).Seconds() * float64(rate)); i < due && ctx.Err() == nil; i++ {
			turns <- i
		}
	}
	close(turns)
	work.Wait()
	return int(answered.Load())
}

func forgery(ctx context.Context, transport *http.Transport, url string) (answered bool) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(strings.Repeat(`{"x":1}`, 100)))
	if err != nil {
		return false
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Smile-Signature", strings.Repeat("0", 128))
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return true
}
