package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wall is a clock that a test moves.
type wall struct {
	mu sync.Mutex
	at time.Time
}

func newWall() *wall { return &wall{at: time.Date(2026, 3, 31, 22, 30, 0, 0, time.UTC)} }

func (w *wall) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *wall) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// box is a sandbox that tests call without a network.
type box struct {
	*Sandbox
	t    *testing.T
	wall *wall
}

func newBox(t *testing.T, options Options) *box {
	t.Helper()
	b := &box{t: t, wall: newWall()}
	options.Now, options.Seed = b.wall.now, "test"
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	b.Sandbox = s
	return b
}

// answer is a response, with the fields of its envelope.
type answer struct {
	status  int
	header  http.Header
	text    string
	Code    string          `json:"code"`
	Message string          `json:"message"`
	ID      string          `json:"requestId"`
	Data    json.RawMessage `json:"data"`
}

type edit func(*http.Request)

func as(key, secret string) edit { return func(r *http.Request) { r.SetBasicAuth(key, secret) } }

func with(name, value string) edit { return func(r *http.Request) { r.Header.Set(name, value) } }

func without(name string) edit { return func(r *http.Request) { r.Header.Del(name) } }

func from(address string) edit { return func(r *http.Request) { r.RemoteAddr = address } }

func (b *box) call(method, path, body string, edits ...edit) answer {
	b.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1"
	r.SetBasicAuth("sandbox-key", "sandbox-secret")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, e := range edits {
		e(r)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	b.conform(r, body, w)
	a := answer{status: w.Code, header: w.Header(), text: w.Body.String()}
	if !strings.HasPrefix(path, "/_sandbox") && w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			b.t.Fatalf("%s %s: %v in %s", method, path, err, a.text)
		}
	}
	return a
}

func (b *box) get(path string, edits ...edit) answer {
	b.t.Helper()
	return b.call(http.MethodGet, path, "", edits...)
}

// must fails the test if the status is not the wanted one.
func (a answer) must(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	return a
}

func decode[T any](t *testing.T, text []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

// rows is a page of a list.
type rows struct {
	NextCursor *string           `json:"nextCursor"`
	Items      []json.RawMessage `json:"items"`
}

func (b *box) list(path string) rows {
	b.t.Helper()
	return decode[rows](b.t, b.get(path).must(b.t, http.StatusOK).Data)
}

func (b *box) newUser(edits ...edit) string {
	b.t.Helper()
	a := b.call(http.MethodPost, "/v1/users", "", edits...).must(b.t, http.StatusCreated)
	return decode[CreatedUser](b.t, a.Data).User.ID
}

// george links a user as George and fails the test on an error.
func (b *box) george(userID, providerID string) Account {
	b.t.Helper()
	a, err := b.Link(LinkRequest{UserID: userID, ProviderID: providerID, Login: "George", Password: "123456", MFA: "1234"})
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}
