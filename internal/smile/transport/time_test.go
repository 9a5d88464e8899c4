package transport

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

func create(ctx context.Context, c *smile.Mutator) error {
	_, err := c.CreateUser(ctx, nil)
	return err
}

func probe(ctx context.Context, c *smile.Mutator) error { return c.Probe(ctx) }

// TestDeadlines responds in every way that never ends, and checks when the call ends.
func TestDeadlines(t *testing.T) {
	drip := func(text string, every time.Duration) func(net.Conn, *http.Request) bool {
		return func(conn net.Conn, _ *http.Request) bool {
			for i := range text {
				if !write(conn, text[i:i+1]) {
					return false
				}
				time.Sleep(every)
			}
			return true
		}
	}
	hang := func(net.Conn, *http.Request) bool {
		time.Sleep(time.Hour)
		return false
	}
	head := "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
	endless := func(conn net.Conn, _ *http.Request) bool {
		for write(conn, "HTTP/1.1 100 Continue\r\n\r\n") {
			time.Sleep(time.Second)
		}
		return false
	}
	answers := map[string]func(net.Conn, *http.Request) bool{
		"hang":                  hang,
		"dripped headers":       drip(head, time.Second),
		"dripped body":          func(c net.Conn, r *http.Request) bool { return write(c, head) && drip(userAnswer, time.Second)(c, r) },
		"body that stops":       func(c net.Conn, r *http.Request) bool { return write(c, head+userAnswer[:10]) && hang(c, r) },
		"endless informational": endless,
	}
	calls := []struct {
		name  string
		make  func(context.Context, *smile.Mutator) error
		limit time.Duration
	}{{"read", probe, DefaultReadTimeout}, {"mutate", create, DefaultMutateTimeout}}
	for name, answer := range answers {
		for _, call := range calls {
			t.Run(name+" "+call.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client, start := clientOf(piped(t, Config{}, answer)), time.Now()
					err := call.make(t.Context(), client)
					if !errors.Is(err, context.DeadlineExceeded) || smile.NotCreated(err) {
						t.Errorf("got %v", err)
					}
					if got := time.Since(start); got != call.limit {
						t.Errorf("it took %v, want %v", got, call.limit)
					}
				})
			})
		}
	}
}

func TestConfiguredDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(net.Conn, *http.Request) bool { time.Sleep(time.Hour); return false }
		config := Config{ReadTimeout: 3 * time.Second, MutateTimeout: 2 * time.Second}
		client, start := clientOf(piped(t, config, hang)), time.Now()
		_ = probe(t.Context(), client)
		if got := time.Since(start); got != 3*time.Second {
			t.Errorf("the read took %v", got)
		}
		_ = create(t.Context(), client)
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("both took %v", got)
		}
	})
}

// TestDeadlineStartsWithSending makes a call wait longer for its slot than it may
// last.
func TestDeadlineStartsWithSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(conn net.Conn, r *http.Request) bool {
			time.Sleep(7 * time.Second)
			return write(conn, answerTo(r))
		}
		client := clientOf(piped(t, Config{Budget: NewBudget(0.05)}, slow))
		for range 3 {
			if err := create(t.Context(), client); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestCancellation cancels a call a second after it has been sent.
func TestCancellation(t *testing.T) {
	slow := func(conn net.Conn, r *http.Request) bool {
		time.Sleep(5 * time.Second)
		return write(conn, answerTo(r))
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := create(ctx, clientOf(piped(t, Config{}, slow))); err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("the mutating call ended after %v with %v", time.Since(start), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		err := probe(ctx, clientOf(piped(t, Config{}, slow)))
		if !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("the read ended after %v with %v", time.Since(start), err)
		}
	})
}

func TestWaitingForASlotIsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		client := clientOf(piped(t, Config{Budget: NewBudget(0.1)}, func(conn net.Conn, r *http.Request) bool {
			requests++
			return write(conn, answerTo(r))
		}))
		for _, call := range []func(context.Context, *smile.Mutator) error{probe, create} {
			if err := call(t.Context(), client); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := call(ctx, client)
			cancel()
			var unsent *smile.UnsentError
			if !errors.As(err, &unsent) || !errors.Is(err, context.DeadlineExceeded) || !smile.NotCreated(err) {
				t.Errorf("got %v", err)
			}
		}
		if requests != 2 {
			t.Errorf("%d requests", requests)
		}
	})
}

func TestFenceIsAskedAfterTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests, start := 0, time.Now()
		var asked time.Duration
		refusal := errors.New("the lease is old")
		fence := leading
		client := clientOf(piped(t, Config{Budget: NewBudget(0.1), Fence: func() error { return fence() }}, func(conn net.Conn, r *http.Request) bool {
			requests++
			return write(conn, answerTo(r))
		}))
		if err := create(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		fence = func() error { asked = time.Since(start); return refusal }
		err := create(t.Context(), client)
		if !errors.Is(err, refusal) || !smile.NotCreated(err) {
			t.Errorf("got %v", err)
		}
		if asked < 10*time.Second || requests != 1 {
			t.Errorf("asked after %v, %d requests", asked, requests)
		}
	})
}

// TestLongPauseReachesTheCaller requires a pause that is longer than calls wait, and checks when the next call is sent.
func TestLongPauseReachesTheCaller(t *testing.T) {
	for header, told := range map[string]time.Duration{
		"Retry-After: 60": time.Minute, "Retry-After: 99999999999": 10 * time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			requests := 0
			client := clientOf(piped(t, Config{}, func(conn net.Conn, _ *http.Request) bool {
				requests++
				return write(conn, rawAnswer("429 Too Many Requests", `{"code":"REQUEST_LIMIT_EXCEEDED"}`, header))
			}))
			for range 2 {
				err := create(t.Context(), client)
				if wait, ok := smile.ThrottledFor(err); !ok || wait != told || !smile.NotCreated(err) {
					t.Errorf("%s: %v, %v", header, err, wait)
				}
			}
			if requests != 1 {
				t.Errorf("%s: %d requests", header, requests)
			}
		})
	}
}

// TestReplaysArePaid closes a connection that is being reused. Then net/http sends a GET again, but not a POST.
func TestReplaysArePaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var arrivals []time.Time
		closing := false
		client := clientOf(piped(t, Config{Budget: NewBudget(1)}, func(conn net.Conn, r *http.Request) bool {
			arrivals = append(arrivals, time.Now())
			if closing {
				closing = false
				return false
			}
			return write(conn, answerTo(r))
		}))
		for range 3 {
			if err := probe(t.Context(), client); err != nil {
				t.Fatal(err)
			}
			closing = true
		}
		if len(arrivals) != 5 {
			t.Errorf("%d requests, want 3 and 2 replays", len(arrivals))
		}
		if got := largestWindow(arrivals); got != 1 {
			t.Errorf("%d requests in one second, the limit is 1", got)
		}
		arrivals, closing = nil, true
		err := create(t.Context(), client)
		if err == nil || smile.NotCreated(err) || len(arrivals) != 1 {
			t.Errorf("the POST was sent %d times: %v", len(arrivals), err)
		}
	})
}

func TestBudgetOverTheWholeChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arrivals := make(chan time.Time, 200)
		client := clientOf(piped(t, Config{Budget: NewBudget(20)}, func(conn net.Conn, r *http.Request) bool {
			arrivals <- time.Now()
			return write(conn, answerTo(r))
		}))
		done := make(chan error)
		for range 200 {
			go func() { done <- create(t.Context(), client) }()
		}
		for range 200 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		close(arrivals)
		var moments []time.Time
		for moment := range arrivals {
			moments = append(moments, moment)
		}
		if got := largestWindow(moments); got != 20 || len(moments) != 200 {
			t.Errorf("%d requests, %d in one second", len(moments), got)
		}
	})
}
