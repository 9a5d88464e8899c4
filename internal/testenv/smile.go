package testenv

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// Canary is in everything that must never show: key pairs, tokens, error texts of Smile and personal data. Only
// outputs may hold it.
const Canary = "CNRY"

// Key pairs that the sandbox knows. Each is a tenant of its own.
var (
	One        = sandbox.KeyPair{Key: Canary + "-key-one", Secret: Canary + "-secret-one"}
	Two        = sandbox.KeyPair{Key: Canary + "-key-two", Secret: Canary + "-secret-two"}
	Production = sandbox.KeyPair{Key: Canary + "-key-live", Secret: Canary + "-secret-live", Mode: sandbox.ModeProduction}
	// Wrong is a pair that the sandbox refuses.
	Wrong = sandbox.KeyPair{Key: Canary + "-key-none", Secret: Canary + "-secret-none"}
)

// Smile is a sandbox behind a real HTTP server.
type Smile struct {
	*sandbox.Sandbox
	// URL of the server; the Open API is at URL + "/v1".
	URL string
	// Instead answers a call itself, in ways that no fault of the sandbox can, and reports whether it did. Set it
	// while no call is under way.
	Instead func(http.ResponseWriter, *http.Request) bool

	tb     testing.TB
	server *httptest.Server

	mu       sync.Mutex
	idle     *sync.Cond
	inFlight int
}

func startSmile(tb testing.TB, options sandbox.Options) *Smile {
	tb.Helper()
	options.Keys = []sandbox.KeyPair{One, Two, Production}
	options.Canary = Canary
	var err error
	if options.Quirks, err = sandbox.QuirksFromEnvironment(options.Quirks); err != nil {
		tb.Fatal(err)
	}
	box, err := sandbox.New(options)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Smile{Sandbox: box, tb: tb}
	s.idle = sync.NewCond(&s.mu)
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.count(1)
		defer s.count(-1)
		if s.Instead == nil || !s.Instead(w, r) {
			box.ServeHTTP(w, r)
		}
	}))
	s.URL = s.server.URL
	tb.Cleanup(s.Shutdown)
	return s
}

// Shutdown makes Smile unreachable.
func (s *Smile) Shutdown() {
	s.Close()
	s.server.CloseClientConnections()
	s.server.Close()
}

// Idle returns when every call has ended, also those whose callers have gone.
func (s *Smile) Idle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.inFlight > 0 {
		s.idle.Wait()
	}
}

func (s *Smile) count(change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight += change
	s.idle.Broadcast()
}

// Break sets faults for the calls from now on. They replace earlier ones.
func (s *Smile) Break(faults ...sandbox.Fault) {
	s.tb.Helper()
	if err := s.SetFaults(faults); err != nil {
		s.tb.Fatal(err)
	}
}

// ClearFaults ends all faults.
func (s *Smile) ClearFaults() { s.Break() }

// Mark is a moment in the life of a sandbox, to count calls from.
type Mark int

// Mark returns the present moment.
func (s *Smile) Mark() Mark { return Mark(len(s.Journal(0))) }

// Calls counts the operator's calls since a mark: of these operations, or all when none is named.
func (s *Smile) Calls(since Mark, operations ...string) int {
	count := 0
	for _, entry := range s.Journal(int(since)) {
		counts := len(operations) == 0 || slices.Contains(operations, entry.Operation)
		if counts && entry.Source != elsewhere {
			count++
		}
	}
	return count
}

// People are the users of a tenant.
func (s *Smile) People(of sandbox.KeyPair) []sandbox.User {
	s.tb.Helper()
	users, err := s.Users(of.Key)
	if err != nil {
		s.tb.Fatal(err)
	}
	return users
}

// elsewhere is the source address of calls that are not the operator's.
const elsewhere = "192.0.2.1"

// NewUser creates a user of a tenant without the operator, as another program or another installation would.
func (s *Smile) NewUser(of sandbox.KeyPair, metadata map[string]string) sandbox.User {
	s.tb.Helper()
	body, err := json.Marshal(map[string]any{"externalMetadata": metadata})
	if err != nil {
		s.tb.Fatal(err)
	}
	request := httptest.NewRequestWithContext(s.tb.Context(), http.MethodPost, "/v1/users", bytes.NewReader(body))
	request.SetBasicAuth(of.Key, of.Secret)
	request.Header.Set("Content-Type", "application/json")
	request.RemoteAddr = elsewhere + ":1"
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, request)
	users := s.People(of)
	if answer.Code != http.StatusCreated {
		s.tb.Fatalf("the sandbox made no user: %s", answer.Body)
	}
	return users[len(users)-1]
}

// LinkGeorge links an account at a provider as the test person George.
func (s *Smile) LinkGeorge(userID, providerID string) sandbox.Account {
	s.tb.Helper()
	account, err := s.Link(
		sandbox.LinkRequest{UserID: userID, ProviderID: providerID, Login: "George", Password: "123456", MFA: "1234"},
	)
	if err != nil {
		s.tb.Fatal(err)
	}
	return account
}
