package receiver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/hook"
)

// bomb is a cache that panics once.
type bomb struct {
	client.Reader
	spent bool
}

func (b *bomb) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if !b.spent {
		b.spent = true
		panic("the person is called George")
	}
	return b.Reader.List(ctx, list, options...)
}

func TestAPanicIsAnsweredLikeAnyOutcome(t *testing.T) {
	var logged strings.Builder
	kube := apiServer(t)
	server := &Server{
		Cache: &bomb{Reader: kube}, Live: kube, Now: time.Now,
		Log: funcr.New(func(_, args string) { logged.WriteString(args) }, funcr.Options{}),
	}
	under, _ := server.server(t.Context())
	before := testutil.ToFloat64(requests.WithLabelValues(string(panicked)))
	for _, want := range []int{http.StatusInternalServerError, http.StatusUnauthorized} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, hook.Prefix+"x", strings.NewReader("{}"))
		request.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		under.Handler.ServeHTTP(answer, request)
		if answer.Code != want || answer.Body.Len() > 0 {
			t.Errorf("%d %q, want %d", answer.Code, answer.Body, want)
		}
	}
	if counted := testutil.ToFloat64(requests.WithLabelValues(string(panicked))) - before; counted != 1 {
		t.Errorf("%v panics were counted", counted)
	}
	if text := logged.String(); strings.Contains(text, "George") || !strings.Contains(text, "panic") {
		t.Errorf("logged %q", text)
	}
}

// pipes are connections without a network, so that a fake clock can be used.
type pipes struct {
	made   chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.made:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// overPipes serves until the test ends, in a bubble of synctest, and returns a function that connects to the server.
func overPipes(t *testing.T, under *http.Server) func() net.Conn {
	t.Helper()
	listener := &pipes{made: make(chan net.Conn), closed: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- under.Serve(listener) }()
	t.Cleanup(func() {
		_ = under.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		<-time.After(time.Second) // net/http lingers
	})
	return func() net.Conn {
		near, far := net.Pipe()
		listener.made <- far
		return near
	}
}

func TestSlowRequestsAreEnded(t *testing.T) {
	head := "POST " + hook.Prefix + "x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	var whole strings.Builder
	if err := genuineOf(t.Context(), eventOf("TASK_FINISHED")).Write(&whole); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		at     time.Duration
		start  string
		status int // 0 when the connection just ends
	}{
		"a header that never ends":        {headerTimeout, head, 0},
		"a body that never ends":          {readTimeout, head + "Content-Length: 1000\r\n\r\n", http.StatusRequestTimeout},
		"a body of no length":             {readTimeout, head + "Transfer-Encoding: chunked\r\n\r\n400\r\n", http.StatusRequestTimeout},
		"a next request that never comes": {idleTimeout, whole.String(), http.StatusNoContent},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near := overPipes(t, httpServer(t, apiServerWith(t, pairOf)))()
				began := time.Now()
				dribbles := test.start != whole.String()
				var sender sync.WaitGroup
				sender.Go(func() {
					_, err := io.WriteString(near, test.start)
					for err == nil && dribbles {
						<-time.After(time.Second)
						_, err = io.WriteString(near, "x")
					}
				})
				said, _ := io.ReadAll(bufio.NewReader(near)) // until the server has had enough
				if took := time.Since(began); took < test.at || took > test.at+time.Second {
					t.Errorf("it was stopped after %s, want %s", took, test.at)
				}
				if answer := fmt.Sprint(test.status, " "); test.status != 0 && !strings.Contains(string(said), answer) {
					t.Errorf("the answer was %q", said)
				}
				near.Close()
				sender.Wait()
			})
		})
	}
}
