package receiver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/receiver"
)

// mostConnections is the limit of connections.
const mostConnections = 1024

func TestConnectionsAreKeptOnlyAfterGenuineEvents(t *testing.T) {
	s := newScene(t)
	body := event("TASK_FINISHED", s.user.Status.UserID)
	genuine := receiver.Sign(body, s.hook.secret)
	for name, test := range map[string]struct {
		method, path, signature string
		want                    int
		kept                    bool
	}{
		"an event":          {http.MethodPost, hook.Prefix + s.hook.path, genuine, 204, true},
		"a forgery":         {http.MethodPost, hook.Prefix + s.hook.path, receiver.Sign(body, "another secret!!"), 401, false},
		"an unknown path":   {http.MethodPost, hook.Prefix + "x", genuine, 401, false},
		"another path":      {http.MethodPost, "/", "", 404, false},
		"no path":           {http.MethodConnect, "", "", 404, false},
		"double slash":      {http.MethodPost, "//x", "", 404, false},
		"a path to clean":   {http.MethodPost, "/a/../b", "", 404, false},
		"a prefix to clean": {http.MethodPost, "/a/.." + hook.Prefix + "x", genuine, 401, false},
		"dots at the end":   {http.MethodGet, hook.Prefix + "..", "", 405, false},
		"almost a probe":    {http.MethodGet, "/healthz/", "", 404, false},
		"a probe to clean":  {http.MethodGet, "//healthz", "", 404, false},
		"options":           {http.MethodOptions, "*", "", 404, false},
		"another method":    {http.MethodPut, hook.Prefix + s.hook.path, "", 405, false},
		"a probe":           {http.MethodGet, "/healthz", "", 200, false},
	} {
		conn := s.dial(t)
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nSmile-Signature: %s\r\n\r\n%s",
			test.method, test.path, len(body), test.signature, body)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		answer.Body.Close()
		if answer.StatusCode != test.want || answer.Close == test.kept {
			t.Errorf("%s: %d and the connection is kept: %v; want %d and %v", name, answer.StatusCode, !answer.Close, test.want, test.kept)
		}
		if allow := answer.Header.Get("Allow"); (allow == http.MethodPost) != (test.want == http.StatusMethodNotAllowed) {
			t.Errorf("%s: Allow is %q", name, allow)
		}
	}
}

func (s *scene) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// deliver sends a genuine event over a connection, and returns the status of the response if it arrives in time.
func (s *scene) deliver(t *testing.T, within time.Duration) (status int) {
	t.Helper()
	body := event("TASK_FINISHED", s.user.Status.UserID)
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+hook.Prefix+s.hook.path, strings.NewReader(body)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Smile-Signature", receiver.Sign(body, s.hook.secret))
	conn := s.dial(t)
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(within))
	answer, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// One client opens more connections than the limit, and sends on each what keeps it open longest.
func TestAnonymousSendersDelayGenuineEventsOnlyShortly(t *testing.T) {
	const held = 1100
	s := newScene(t)
	for name, start := range map[string]string{
		"silent":                  "",
		"half a header":           "POST / HTTP/1.1\r\nHost: x\r\n",
		"paths to clean":          "GET /a/../b HTTP/1.1\r\nHost: x\r\n\r\n",
		"double slashes":          "GET //x HTTP/1.1\r\nHost: x\r\n\r\n",
		"options":                 "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"bodies to unknown paths": "POST " + hook.Prefix + "x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s.url = s.start(t, nil)
			reached := testutil.ToFloat64(receiver.ConnectionLimit)
			for range held {
				if _, err := io.WriteString(s.dial(t), start); err != nil {
					t.Fatal(err)
				}
			}
			if status := s.deliver(t, 6*time.Second); status != http.StatusNoContent {
				t.Errorf("a genuine event is answered with %d", status)
			}
			if full := testutil.ToFloat64(receiver.ConnectionLimit) > reached; start == "" && !full {
				t.Error("no metric shows that the limit was reached")
			}
		})
	}
}

// Connections beyond the limit wait for one to end, and are served then.
func TestConnectionsAreLimited(t *testing.T) {
	s := newScene(t)
	var silent []net.Conn
	for range mostConnections {
		silent = append(silent, s.dial(t))
	}
	if status := s.deliver(t, 300*time.Millisecond); status != 0 {
		t.Errorf("connection %d is served at the same time as the others", mostConnections+1)
	}
	for _, conn := range silent[:2] { // the one that was given up is still to be taken
		conn.Close()
	}
	if status := s.deliver(t, time.Minute); status != http.StatusNoContent {
		t.Errorf("after another has ended: %d", status)
	}
}
