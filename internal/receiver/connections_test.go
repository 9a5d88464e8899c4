package receiver_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/receiver"
)

// mostConnections is how many the receiver has at once.
const mostConnections = 1024

func TestOnlyWhoSendsEventsKeepsAConnection(t *testing.T) {
	s := newScene(t)
	body := event("TASK_FINISHED", s.user.Status.UserID)
	for name, test := range map[string]struct {
		method, path, signature string
		want                    int
		kept                    bool
	}{
		"an event":        {http.MethodPost, hook.Prefix + s.hook.path, receiver.Sign(body, s.hook.secret), 204, true},
		"a forgery":       {http.MethodPost, hook.Prefix + s.hook.path, receiver.Sign(body, "another secret!!"), 401, false},
		"an unknown path": {http.MethodPost, hook.Prefix + "x", receiver.Sign(body, s.hook.secret), 401, false},
		"another path":    {http.MethodPost, "/", "", 404, false},
		"another method":  {http.MethodPut, hook.Prefix + s.hook.path, "", 405, false},
		"a probe":         {http.MethodGet, "/healthz", "", 200, false},
	} {
		r := must(http.NewRequestWithContext(t.Context(), test.method, s.url+test.path, strings.NewReader(body)))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Smile-Signature", test.signature)
		transport := &http.Transport{}
		answer, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		transport.CloseIdleConnections()
		if answer.StatusCode != test.want || answer.Close == test.kept {
			t.Errorf("%s: %d and the connection is kept: %v; want %d and %v", name, answer.StatusCode, !answer.Close, test.want, test.kept)
		}
		if allow := answer.Header.Get("Allow"); (allow == http.MethodPost) != (test.want == http.StatusMethodNotAllowed) {
			t.Errorf("%s: Allow is %q", name, allow)
		}
	}
}

// However many connect, those beyond the limit wait for one to end, and are served then.
func TestThereAreOnlySoManyConnections(t *testing.T) {
	s := newScene(t)
	dial := func() net.Conn {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	var silent []net.Conn
	for range mostConnections {
		silent = append(silent, dial())
	}
	body := event("TASK_FINISHED", s.user.Status.UserID)
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+hook.Prefix+s.hook.path, strings.NewReader(body)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Smile-Signature", receiver.Sign(body, s.hook.secret))
	late := dial()
	if err := r.Write(late); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(late)
	_ = late.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := answers.Peek(1); err == nil {
		t.Errorf("connection %d is served beside the others", mostConnections+1)
	}
	silent[0].Close()
	_ = late.SetReadDeadline(time.Now().Add(time.Minute))
	answer, err := http.ReadResponse(answers, r)
	if err != nil || answer.StatusCode != http.StatusNoContent {
		t.Fatalf("after another has ended: %v, %v", answer, err)
	}
	answer.Body.Close()
}
