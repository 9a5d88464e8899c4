package broker_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/smile-operator/smile-operator/internal/appapi"
	"github.com/smile-operator/smile-operator/internal/broker"
)

var (
	noon  = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	first = broker.Leader{Address: "10.0.0.1:8444", Certificate: "aa"}
)

// replica is a process that takes part in the election.
type replica struct {
	*broker.Board
	name   string
	leases coordination.LeaseInterface
}

func newReplica(name string, own broker.Leader, leases coordination.LeasesGetter, clock *clocktesting.FakeClock) *replica {
	board := broker.NewBoard(own, clock)
	return &replica{board, name, board.Wrap(leases).Leases("n")}
}

// leads writes the Lease as a leader does.
func (r *replica) leads(t *testing.T, transitions int32, at time.Time) {
	t.Helper()
	lease, err := r.leases.Get(t.Context(), "leader", metav1.GetOptions{})
	create := err != nil
	if create {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "leader"}}
	}
	lease.Spec = coordinationv1.LeaseSpec{
		HolderIdentity: ptr.To(r.name), LeaseTransitions: ptr.To(transitions),
		LeaseDurationSeconds: ptr.To(int32(30)), RenewTime: &metav1.MicroTime{Time: at},
	}
	if create {
		_, err = r.leases.Create(t.Context(), lease, metav1.CreateOptions{})
	} else {
		_, err = r.leases.Update(t.Context(), lease, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// readLease reads the Lease, as a standby does, and returns where the leader is.
func (r *replica) readLease(t *testing.T) broker.Leader {
	t.Helper()
	if _, err := r.leases.Get(t.Context(), "leader", metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	leader, known := r.Leader()
	if known != (leader != broker.Leader{}) {
		t.Errorf("%v is known: %v", leader, known)
	}
	return leader
}

func TestTheLeaderIsAnnounced(t *testing.T) {
	clock, leases := clocktesting.NewFakeClock(noon), fake.NewClientset().CoordinationV1()
	a, b := newReplica("a", first, leases, clock), newReplica("b", broker.Leader{Address: "10.0.0.2:8444", Certificate: "bb"}, leases, clock)
	check := func(want broker.Leader) {
		t.Helper()
		if diff := cmp.Diff(want, b.readLease(t)); diff != "" {
			t.Error(diff)
		}
	}
	a.leads(t, 3, clock.Now())
	check(first)
	if own := a.readLease(t); own != (broker.Leader{}) {
		t.Errorf("a leader passes calls on to itself, at %v", own)
	}
	clock.Step(29 * time.Second)
	check(first)
	clock.Step(time.Second)
	check(broker.Leader{}) // the lease has run out
	a.leads(t, 3, clock.Now())
	check(first)

	// The leader announces nothing, such as one of an earlier version: the announcement in the Lease is not its own.
	plain := &replica{nil, "c", leases.Leases("n")}
	plain.leads(t, 4, clock.Now())
	check(broker.Leader{})
	plain.name = "a" // the name of the former leader, in another term
	plain.leads(t, 5, clock.Now())
	check(broker.Leader{})
	a.leads(t, 6, clock.Now())
	check(first)

	a.name = ""
	a.leads(t, 6, clock.Now()) // it releases the Lease
	check(broker.Leader{})
	lease, err := leases.Leases("n").Get(t.Context(), "leader", metav1.GetOptions{})
	if err != nil || lease.Annotations[broker.AnnotationLeader] != "" {
		t.Errorf("a released Lease has %v: %v", lease.Annotations, err)
	}
}

func TestWithoutTheAPINothingIsAnnounced(t *testing.T) {
	clock, leases := clocktesting.NewFakeClock(noon), fake.NewClientset().CoordinationV1()
	a := newReplica("a", broker.Leader{Certificate: "aa"}, leases, clock)
	a.leads(t, 1, clock.Now())
	lease, err := leases.Leases("n").Get(t.Context(), "leader", metav1.GetOptions{})
	if err != nil || len(lease.Annotations) > 0 {
		t.Errorf("%v, %v", lease.Annotations, err)
	}
}

// pair is a standby with a forwarder, and a leader that answers what its handler does.
type pair struct {
	forwarder *broker.Forwarder
	standby   *replica
	leads     atomic.Bool // the standby itself
	calls     atomic.Int32
}

func newPair(t *testing.T, own *broker.Ephemeral, announced broker.Leader, handler http.Handler) *pair {
	t.Helper()
	p := &pair{}
	serve(t, announced.Address, own, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.calls.Add(1)
		handler.ServeHTTP(w, r)
	}))
	clock, leases := clocktesting.NewFakeClock(noon), fake.NewClientset().CoordinationV1()
	newReplica("leader", announced, leases, clock).leads(t, 1, clock.Now())
	p.standby = newReplica("standby", first, leases, clock)
	p.standby.readLease(t)
	p.forwarder = &broker.Forwarder{Board: p.standby.Board, Fence: func() error {
		if p.leads.Load() {
			return nil
		}
		return context.Canceled
	}}
	t.Cleanup(func() { broker.Close(p.forwarder) })
	return p
}

func (p *pair) relay(t *testing.T, change ...func(*appapi.Request)) (*appapi.Answer, error) {
	t.Helper()
	request := appapi.Request{
		Call: &appapi.Call{
			ID: "1", Operation: appapi.CreateLinkToken, Namespace: "shop", Name: "george", ConsentRef: "consent-7", Purpose: "loan",
		},
		Bearer: "bearer-of-shop", Body: []byte("{}"),
	}
	for _, how := range change {
		how(&request)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return p.forwarder.Relay(ctx, request)
}

func reasonOf(err error) appapi.Reason {
	if problem, ok := err.(*appapi.Problem); ok { //nolint:errorlint // Relay returns it as it is
		return problem.Reason
	}
	return ""
}

// serve runs a server until the test ends.
func serve(t *testing.T, address string, own *broker.Ephemeral, handler http.Handler) *broker.Server {
	t.Helper()
	dir := t.TempDir()
	certificate(t, dir)
	server := &broker.Server{Address: address, CertFile: dir + "/tls.crt", KeyFile: dir + "/tls.key", Own: own, Handler: handler}
	ctx, end := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- server.Start(ctx) }()
	t.Cleanup(func() {
		end()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); server.Ready(nil) != nil; {
		if time.Now().After(deadline) {
			t.Fatal("the server is not ready")
		}
	}
	return server
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func ephemeral(t *testing.T) *broker.Ephemeral {
	t.Helper()
	own, err := broker.NewEphemeral()
	if err != nil {
		t.Fatal(err)
	}
	return own
}

func TestACallIsPassedOn(t *testing.T) {
	own := ephemeral(t)
	var got http.Request
	p := newPair(t, own, own.At(freeAddress(t)), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = *r.Clone(context.WithoutCancel(r.Context()))
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set(appapi.HeaderCallID, "2")
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"accessToken":"x"}`))
	}))
	answer, err := p.relay(t)
	if err != nil {
		t.Fatal(err)
	}
	want := &appapi.Answer{
		Status: 201, Body: []byte(`{"accessToken":"x"}`), Header: http.Header{"Content-Type": {"application/json"}, appapi.HeaderCallID: {"2"}},
	}
	if diff := cmp.Diff(want, answer); diff != "" {
		t.Error(diff)
	}
	sent := map[string]string{}
	for _, name := range []string{"Authorization", appapi.HeaderRelayed, appapi.HeaderConsentRef, appapi.HeaderPurpose, "Content-Type"} {
		sent[name] = got.Header.Get(name)
	}
	headers := map[string]string{
		"Authorization": "Bearer bearer-of-shop", appapi.HeaderRelayed: "1", appapi.HeaderConsentRef: "consent-7", appapi.HeaderPurpose: "loan",
		"Content-Type": "application/json",
	}
	if diff := cmp.Diff(headers, sent); diff != "" || got.URL.Path != "/v1/namespaces/shop/smileusers/george/token" || got.Method != http.MethodPost {
		t.Errorf("%s %s\n%s", got.Method, got.URL.Path, diff)
	}
	if !got.TLS.HandshakeComplete || got.TLS.Version != tls.VersionTLS13 {
		t.Error("the call was not passed on by TLS 1.3")
	}
}

// One hop only, and none while this process leads.
func TestWhatIsNotPassedOn(t *testing.T) {
	own := ephemeral(t)
	p := newPair(t, own, own.At(freeAddress(t)), http.NotFoundHandler())
	if _, err := p.relay(t, func(r *appapi.Request) { r.Relayed = true }); reasonOf(err) != appapi.ReasonLeaderUnavailable {
		t.Errorf("a call that was passed on already: %v", err)
	}
	p.leads.Store(true)
	if answer, err := p.relay(t); answer != nil || err != nil {
		t.Errorf("while this process leads: %v, %v", answer, err)
	}
	if calls := p.calls.Load(); calls != 0 {
		t.Errorf("%d calls were passed on", calls)
	}
}

// Another process at the leader's address gets nothing, whatever its certificate.
func TestAForgedLeaderGetsNoToken(t *testing.T) {
	forger := ephemeral(t)
	address := freeAddress(t)
	p := newPair(t, forger, ephemeral(t).At(address), http.NotFoundHandler())
	if _, err := p.relay(t); reasonOf(err) != appapi.ReasonLeaderUnavailable {
		t.Errorf("%v", err)
	}
	if calls := p.calls.Load(); calls != 0 {
		t.Error("a process with another certificate got the call")
	}
	// Its certificate for other clients is no better.
	if _, err := tls.Dial("tcp", address, &tls.Config{MinVersion: tls.VersionTLS13, ServerName: "leader.smile-operator.internal"}); err == nil {
		t.Error("other clients trust the certificate of the process")
	}
}

// silentLeader replaces the leader of a pair by a process that accepts connections and does nothing else.
func (p *pair) silentLeader(t *testing.T, own *broker.Ephemeral) {
	t.Helper()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	clock, leases := clocktesting.NewFakeClock(noon), fake.NewClientset().CoordinationV1()
	newReplica("leader", own.At(silent.Addr().String()), leases, clock).leads(t, 1, clock.Now())
	p.forwarder.Board = broker.NewBoard(first, clock)
	if _, err := p.forwarder.Board.Wrap(leases).Leases("n").Get(t.Context(), "leader", metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
}

// A replica that may mint tokens by itself does so while no leader answers. It waits for a silent leader once, not in each call.
func TestAStandbyServesByItselfWhileNoLeaderAnswers(t *testing.T) {
	own := ephemeral(t)
	alone := func(t *testing.T, p *pair, atLeast, atMost time.Duration, change ...func(*appapi.Request)) {
		t.Helper()
		began := time.Now()
		if answer, err := p.relay(t, change...); answer != nil || err != nil {
			t.Errorf("%v, %v", answer, err)
		}
		if took := time.Since(began); took < atLeast || took > atMost {
			t.Errorf("after %s", took)
		}
	}
	broken := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	t.Run("it is gone", func(t *testing.T) {
		p := newPair(t, own, own.At(freeAddress(t)), broken)
		p.forwarder.Standby = true
		alone(t, p, 0, time.Second)
	})
	t.Run("none is known", func(t *testing.T) {
		p := newPair(t, own, own.At(freeAddress(t)), http.NotFoundHandler())
		p.forwarder.Standby, p.forwarder.Board = true, broker.NewBoard(first, clocktesting.NewFakeClock(noon))
		alone(t, p, 0, time.Second)
	})
	t.Run("it is silent", func(t *testing.T) {
		p := newPair(t, own, own.At(freeAddress(t)), http.NotFoundHandler())
		p.silentLeader(t, own)
		p.forwarder.Standby = true
		alone(t, p, 900*time.Millisecond, 3*time.Second)
		alone(t, p, 0, 500*time.Millisecond)
	})
	t.Run("a call that was passed on", func(t *testing.T) {
		p := newPair(t, own, own.At(freeAddress(t)), http.NotFoundHandler())
		p.forwarder.Standby = true
		alone(t, p, 0, time.Second, func(r *appapi.Request) { r.Relayed = true })
		if calls := p.calls.Load(); calls != 0 {
			t.Errorf("it was passed on %d times more", calls)
		}
	})
	t.Run("what needs the leader", func(t *testing.T) {
		p := newPair(t, own, own.At(freeAddress(t)), broken)
		p.forwarder.Standby = true
		creation := *appapi.CreateLinkToken
		creation.Standby = false
		_, err := p.relay(t, func(r *appapi.Request) { r.Call.Operation = &creation })
		var problem *appapi.Problem
		if !errors.As(err, &problem) || problem.Reason != appapi.ReasonLeaderUnavailable || problem.RetryAfter == 0 {
			t.Errorf("%v", err)
		}
	})
}

// The forwarder gives up a leader that does not confirm a call within a second, but not one that works on the call.
func TestASilentLeaderIsGivenUp(t *testing.T) {
	own := ephemeral(t)
	p := newPair(t, own, own.At(freeAddress(t)), http.NotFoundHandler())
	p.silentLeader(t, own)
	began := time.Now()
	if _, err := p.relay(t); reasonOf(err) != appapi.ReasonLeaderUnavailable {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took < 900*time.Millisecond || took > 3*time.Second {
		t.Errorf("the forwarder waited %s for a leader that does not respond", took)
	}
}

func TestALeaderThatWorksIsWaitedFor(t *testing.T) {
	own := ephemeral(t)
	p := newPair(t, own, own.At(freeAddress(t)), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(1500 * time.Millisecond):
			w.WriteHeader(http.StatusCreated)
		case <-r.Context().Done():
		}
	}))
	answer, err := p.relay(t)
	if err != nil || answer.Status != http.StatusCreated {
		t.Errorf("%v, %v", answer, err)
	}
}

// Nothing that may have arrived is sent again.
func TestACallIsPassedOnOnce(t *testing.T) {
	own := ephemeral(t)
	p := newPair(t, own, own.At(freeAddress(t)), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	if _, err := p.relay(t); reasonOf(err) != appapi.ReasonLeaderUnavailable {
		t.Errorf("%v", err)
	}
	if calls := p.calls.Load(); calls != 1 {
		t.Errorf("the call arrived %d times", calls)
	}
}

// When the process stops, calls in progress are answered, and so are calls of clients that do not know yet that it stops.
func TestTheServerDrains(t *testing.T) {
	own, address := ephemeral(t), freeAddress(t)
	dir := t.TempDir()
	pool := certificate(t, dir)
	arrived, finish := make(chan struct{}), make(chan struct{})
	server := &broker.Server{
		Address: address, CertFile: dir + "/tls.crt", KeyFile: dir + "/tls.key", Own: own,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				close(arrived)
				<-finish
			}
			_ = json.NewEncoder(w).Encode("done")
		}),
	}
	ctx, end := context.WithCancel(t.Context())
	stopped, answered := make(chan error, 1), make(chan int, 1)
	go func() { stopped <- server.Start(ctx) }()
	for server.Ready(nil) != nil {
		if t.Context().Err() != nil {
			t.Fatal("the server is not ready")
		}
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "api", MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	send := func(path string) (status int, last bool) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+path, http.NoBody)
		response, err := transport.RoundTrip(r)
		if err != nil {
			return 0, true
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return response.StatusCode, response.Close
	}
	go func() {
		status, _ := send("/slow")
		answered <- status
	}()
	<-arrived
	if status, last := send("/"); status != http.StatusOK || last {
		t.Errorf("before the end: %d, the last on its connection: %v", status, last)
	}
	end()
	for deadline := time.Now().Add(10 * time.Second); server.Ready(nil) == nil; {
		if time.Now().After(deadline) {
			t.Fatal("the server is ready although it is to end")
		}
	}
	if status, last := send("/"); status != http.StatusOK || !last {
		t.Errorf("right after the end: %d, the last on its connection: %v", status, last)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		status, _ := send("/")
		if status == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the server accepts calls although it is to end")
		}
	}
	close(finish)
	if status := <-answered; status != http.StatusOK {
		t.Errorf("the call that was under way: %d", status)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
