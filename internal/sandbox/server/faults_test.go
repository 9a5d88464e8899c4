package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// listening is a sandbox on a real port, with a client that reports what it
// received.
type listening struct {
	*Server
	t      *testing.T
	client *http.Client
}

func listen(t *testing.T, options Options) *listening {
	t.Helper()
	s, err := Start(options)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	t.Cleanup(s.Close)
	return &listening{s, t, client}
}

func (l *listening) post(ctx context.Context, path string) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.URL+path, strings.NewReader("{}"))
	if err != nil {
		l.t.Fatal(err)
	}
	r.SetBasicAuth("sandbox-key", "sandbox-secret")
	r.Header.Set("Content-Type", "application/json")
	response, err := l.client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return response, string(text), err
}

// seen is what the client of an affected call receives. The journal has the
// same status.
type seen struct {
	sent     int // 0 when nothing arrived
	err      error
	length   int // of the body
	contains string
	location string
}

const anyLength = -1

var disturbances = map[string]seen{
	"status:503":                         {sent: 503, length: anyLength, contains: `"code":"SERVER_UNAVAILABLE"`},
	"status:502":                         {sent: 502, length: anyLength, contains: `"code":"SERVER_ERROR"`},
	"garbage":                            {sent: 200, length: anyLength, contains: "<html>"},
	"empty":                              {sent: 201},
	"acknowledge":                        {sent: 201, length: anyLength, contains: `"code":"OK"`},
	"truncate:40":                        {sent: 201, length: 40, err: io.ErrUnexpectedEOF},
	"truncate:999999":                    {sent: 201, length: anyLength, contains: `"code":"OK"`},
	"redirect:http://127.0.0.1:1/stolen": {sent: 307, location: "http://127.0.0.1:1/stolen"},
	"reset":                              {err: syscall.ECONNRESET},
	"hang":                               {err: context.DeadlineExceeded},
}

func (want seen) check(t *testing.T, r *http.Response, text string, err error) {
	t.Helper()
	if !errors.Is(err, want.err) {
		t.Fatalf("error %v, want %v", err, want.err)
	}
	if r == nil {
		r = &http.Response{}
	}
	if r.StatusCode != want.sent || r.Header.Get("Location") != want.location || !strings.Contains(text, want.contains) {
		t.Errorf("got %+v %s", r, text)
	}
	if want.length != anyLength && len(text) != want.length {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

// TestFaults tries each action in both phases on the second of three creates.
func TestFaults(t *testing.T) {
	for action, want := range disturbances {
		for _, phase := range []string{phaseBefore, phaseAfter} {
			t.Run(action+" "+phase, func(t *testing.T) {
				l := listen(t, Options{})
				if err := l.SetFaults([]Fault{{Operation: "create-user", Nth: 2, Phase: phase, Action: action}}); err != nil {
					t.Fatal(err)
				}
				l.create()
				ctx, cancel := context.WithTimeout(t.Context(), patience(action))
				defer cancel()
				r, text, err := l.post(ctx, "/v1/users")
				want.check(t, r, text, err)
				l.create()
				committed := phase == phaseAfter
				entry := l.Journal(1)[0]
				if entry.Status != want.sent || entry.Committed != committed || (entry.UserID != "") != committed {
					t.Errorf("journal %+v", entry)
				}
				if got := l.Stats().Users; got != 2+b2i(committed) {
					t.Errorf("%d users", got)
				}
			})
		}
	}
}

func patience(action string) time.Duration {
	if action == "hang" {
		return 100 * time.Millisecond
	}
	return time.Minute
}

func (l *listening) create() {
	l.t.Helper()
	if r, text, err := l.post(l.t.Context(), "/v1/users"); err != nil || r.StatusCode != http.StatusCreated {
		l.t.Fatalf("an undisturbed call got %v %s %v", r, text, err)
	}
}

func TestHangEndsWithTheServer(t *testing.T) {
	l := listen(t, Options{})
	_ = l.SetFaults([]Fault{{Operation: anyCall, Action: "hang"}})
	failed := make(chan error)
	go func() {
		_, _, err := l.post(t.Context(), "/v1/users")
		failed <- err
	}()
	for len(l.Journal(0)) == 0 { // it is written before the call hangs
		runtime.Gosched()
	}
	l.Close()
	if err := <-failed; err == nil {
		t.Error("the call got an answer")
	}
}

// TestDelayedCommit: a call that is delayed before its commit is executed even
// if the client is gone, as at a real server.
func TestDelayedCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, Options{})
		_ = b.SetFaults([]Fault{{Operation: "create-user", Action: "delay:30s"}, {Operation: "create-user", Phase: phaseAfter, Action: "delay:2s"}})
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		func() {
			defer func() { _ = recover() }()
			b.call("POST", "/v1/users", "{}", func(r *http.Request) { *r = *r.WithContext(ctx) })
		}()
		if took := time.Since(begun); took != 32*time.Second {
			t.Errorf("took %s", took)
		}
		entry := b.Journal(0)[0]
		if !entry.Committed || entry.Status != 0 || b.Stats().Users != 1 {
			t.Errorf("journal %+v", entry)
		}
	})
}

// TestJournalIsWrittenBeforeTheDelay: a test can see that a create was executed
// while its caller still waits for the response.
func TestJournalIsWrittenBeforeTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, Options{})
		_ = b.SetFaults([]Fault{{Operation: "create-user", Phase: phaseAfter, Action: "delay:5s"}})
		done := make(chan answer)
		go func() { done <- b.call("POST", "/v1/users", "{}") }()
		synctest.Wait()
		if entries := b.Journal(0); len(entries) != 1 || !entries[0].Committed {
			t.Errorf("journal %+v", entries)
		}
		(<-done).must(t, 201)
	})
}

func TestWhichCallsAreHit(t *testing.T) {
	for name, test := range map[string]struct {
		faults []Fault
		want   string // statuses of the calls
	}{
		"the first by default": {[]Fault{{Operation: "list-users", Action: "status:500"}}, "500 200 200 200 200"},
		"from the third, two":  {[]Fault{{Operation: "list-users", Nth: 3, Count: 2, Action: "status:500"}}, "200 200 500 500 200"},
		"all from the second":  {[]Fault{{Operation: "list-users", Nth: 2, Count: -1, Action: "status:500"}}, "200 500 500 500 500"},
		"any call":             {[]Fault{{Operation: "*", Nth: 5, Action: "status:429"}}, "200 200 200 200 429"},
		"another operation":    {[]Fault{{Operation: "get-user", Action: "status:500"}}, "200 200 200 200 200"},
		"the first set wins":   {[]Fault{{Operation: "list-users", Action: "status:500"}, {Operation: "list-users", Count: 2, Action: "status:503"}}, "500 503 200 200 200"},
		"before beats after":   {[]Fault{{Operation: "list-users", Phase: "after", Action: "status:500"}, {Operation: "list-users", Action: "status:504"}}, "504 200 200 200 200"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, Options{})
			if err := b.SetFaults(test.faults); err != nil {
				t.Fatal(err)
			}
			var got []string
			for range 5 {
				got = append(got, strconv.Itoa(b.get("/v1/users").status))
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %v, want %s", got, test.want)
			}
		})
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	b := newBox(t, Options{})
	set := `[{"operation":"create-user","nth":3,"count":1,"phase":"after","action":"truncate:40"}]`
	if got := b.call("PUT", "/_sandbox/faults", set).must(t, 200).text; strings.TrimSpace(got) != set {
		t.Errorf("got %s", got)
	}
	for _, wrong := range []string{
		`[{"operation":"make-user","action":"reset"}]`,
		`[{"operation":"create-user","action":"explode"}]`,
		`[{"operation":"create-user","action":"status:99"}]`,
		`[{"operation":"create-user","action":"status:abc"}]`,
		`[{"operation":"create-user","action":"delay:5"}]`,
		`[{"operation":"create-user","action":"delay:-5s"}]`,
		`[{"operation":"create-user","action":"truncate:-1"}]`,
		`[{"operation":"create-user","action":"redirect:"}]`,
		`[{"operation":"create-user","action":"hang:5s"}]`,
		`[{"operation":"create-user","phase":"during","action":"hang"}]`,
		`[{"operation":"create-user","when":"now","action":"hang"}]`,
		`{"operation":"create-user","action":"hang"}`,
		``,
	} {
		b.call("PUT", "/_sandbox/faults", wrong).must(t, 400)
	}
	if got := b.get("/_sandbox/faults").must(t, 200).text; strings.TrimSpace(got) != set {
		t.Errorf("a wrong fault changed the old ones: %s", got)
	}
	b.call("PUT", "/_sandbox/faults", `[]`).must(t, 200)
	if got := b.Faults(); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

// TestRateLimitedCallsAreNotCounted: nth means calls that would have been served.
func TestRateLimitedCallsAreNotCounted(t *testing.T) {
	b := newBox(t, Options{RateLimit: 1})
	_ = b.SetFaults([]Fault{{Operation: "list-users", Nth: 2, Action: "status:500"}})
	b.get("/v1/users").must(t, 200)
	b.get("/v1/users").must(t, 429)
	b.wall.advance(time.Second)
	b.get("/v1/users").must(t, 500)
}

// TestResetIsRST: the connection is reset, not closed.
func TestResetIsRST(t *testing.T) {
	l := listen(t, Options{})
	_ = l.SetFaults([]Fault{{Operation: "list-users", Action: "reset"}})
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /v1/users HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(conn).ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
}

// TestFaultsOverTLS: with HTTP/1.1 the TCP connection is reset. With HTTP/2 one
// stream is reset, and the other calls continue.
func TestFaultsOverTLS(t *testing.T) {
	for name, test := range map[string]struct {
		http2 bool
		wants string // what the error says
	}{
		"HTTP/1.1": {false, "connection reset by peer"},
		"HTTP/2":   {true, "stream error"},
	} {
		t.Run(name, func(t *testing.T) {
			box, err := New(Options{})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewUnstartedServer(box)
			server.EnableHTTP2 = test.http2
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			defer box.Close()
			l := &listening{Server: &Server{Sandbox: box, URL: server.URL}, t: t, client: server.Client()}
			for _, action := range []string{"reset", "truncate:10"} {
				l.create()
				_ = box.SetFaults([]Fault{{Operation: "create-user", Phase: phaseAfter, Action: action}})
				r, _, err := l.post(t.Context(), "/v1/users")
				if err == nil || action == "reset" && !strings.Contains(err.Error(), test.wants) {
					t.Errorf("%s: %v %v", action, r, err)
				}
			}
			if got := box.Stats(); got.Users != 4 {
				t.Errorf("%d users", got.Users)
			}
		})
	}
}
