//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// phase is where on its way a call that creates a user is held.
type phase int

const (
	// arrived: the sandbox has the call, and creates the user only when the trap is released, even if the caller has ended.
	arrived phase = iota
	// made: the user exists, and the response was not sent yet.
	made
)

func (p phase) String() string { return [...]string{"arrived", "made"}[p] }

// trap holds one call that creates a user.
type trap struct {
	phase phase
	calls int // until the one that is held
	// sprung is closed when the call is held.
	sprung  chan struct{}
	release func()
	open    chan struct{}
}

// remote is Smile: a sandbox at an address of its own, which can be stopped and restarted, and holds calls on request.
type remote struct {
	*sandbox.Sandbox
	address string
	// creating counts the calls that create users and are not answered yet.
	creating atomic.Int64
	// referrer is a header Referer that a call had.
	referrer atomic.Pointer[string]

	mu     sync.Mutex
	server *http.Server
	done   chan struct{}
	trap   *trap
}

func newRemote(t *testing.T, options sandbox.Options) *remote {
	t.Helper()
	var err error
	if options.Quirks, err = sandbox.QuirksFromEnvironment(options.Quirks); err != nil {
		t.Fatal(err)
	}
	box, err := sandbox.New(options)
	if err != nil {
		t.Fatal(err)
	}
	r := &remote{Sandbox: box, address: "127.0.0.1:0"}
	r.up(t)
	t.Cleanup(func() {
		r.disarm()
		box.Close()
		r.down()
	})
	return r
}

func (r *remote) endpoint() string { return "http://" + r.address + "/v1" }

// up serves, on the same address each time.
func (r *remote) up(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	r.address = listener.Addr().String()
	server, done := sandbox.NewHTTPServer(r.Sandbox), make(chan struct{})
	server.Handler = r
	r.server, r.done = server, done
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
}

// down cuts all connections and accepts no more.
func (r *remote) down() {
	_ = r.server.Close()
	<-r.done
}

// arm sets a trap for the n-th call from now that creates a user, in place of one set before.
func (r *remote) arm(n int, where phase) *trap {
	open := make(chan struct{})
	made := &trap{
		phase: where, calls: n, sprung: make(chan struct{}), open: open,
		release: sync.OnceFunc(func() { close(open) }),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trap = made
	return made
}

func (r *remote) disarm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trap != nil {
		r.trap.release()
	}
}

// caught returns the trap that holds a call; nil if none does.
func (r *remote) caught() *trap {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trap == nil || r.trap.calls == 0 {
		return nil
	}
	if r.trap.calls--; r.trap.calls > 0 {
		return nil
	}
	return r.trap
}

func (t *trap) isSprung() bool {
	select {
	case <-t.sprung:
		return true
	default:
		return false
	}
}

func (t *trap) hold() {
	close(t.sprung)
	<-t.open
}

// ServeHTTP passes every call to the sandbox, and delays those that are to be held.
func (r *remote) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if from := request.Referer(); from != "" {
		r.referrer.Store(&from)
	}
	if request.Method != http.MethodPost || request.URL.Path != "/v1/users" {
		r.Sandbox.ServeHTTP(w, request)
		return
	}
	r.creating.Add(1)
	defer r.creating.Add(-1)
	caught := r.caught()
	if caught == nil {
		r.Sandbox.ServeHTTP(w, request)
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	if caught.phase == arrived {
		caught.hold()
		r.Sandbox.ServeHTTP(w, request)
		return
	}
	answer := httptest.NewRecorder()
	r.Sandbox.ServeHTTP(answer, request)
	caught.hold()
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// mark is the place in the journal behind all calls so far.
func (r *remote) mark() int {
	journal := r.Journal(0)
	if len(journal) == 0 {
		return 0
	}
	return journal[len(journal)-1].Seq
}

// committed returns the calls of an operation, after a place in the journal, that changed something.
func (r *remote) committed(operation string, after int) []sandbox.JournalEntry {
	var calls []sandbox.JournalEntry
	for _, entry := range r.Journal(after) {
		if entry.Operation == operation && entry.Committed {
			calls = append(calls, entry)
		}
	}
	return calls
}
