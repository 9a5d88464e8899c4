package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const tooMany = `{"code":"REQUEST_LIMIT_EXCEEDED"}`

// created creates users for a minute at 20 a second and returns how many there are. The server refuses the calls that come
// at certain times after the start.
func created(t *testing.T, headers []string, refusals ...time.Duration) (users int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		start := time.Now()
		client := clientOf(piped(t, Config{Budget: NewBudget(20)}, func(conn net.Conn, r *http.Request) bool {
			mu.Lock()
			refuse := len(refusals) > 0 && time.Since(start) >= refusals[0]
			if refuse {
				refusals = refusals[1:]
			} else {
				users++
			}
			mu.Unlock()
			time.Sleep(120 * time.Millisecond)
			if refuse {
				return write(conn, rawAnswer("429 Too Many Requests", tooMany, headers...))
			}
			return write(conn, answerTo(r))
		}))
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for time.Since(start) < time.Minute {
					if err := create(t.Context(), client); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
	})
	return users
}

func TestALoneRefusalCostsLittle(t *testing.T) {
	most := created(t, nil)
	for name, got := range map[string]int{
		"a lone refusal":                         created(t, nil, 20*time.Second),
		"two refusals, 11 s apart":               created(t, nil, 20*time.Second, 31*time.Second),
		"two refusals of calls sent together":    created(t, nil, 20*time.Second, 20*time.Second+10*time.Millisecond),
		"a lone refusal with Retry-After of 1 s": created(t, []string{"Retry-After: 1"}, 20*time.Second),
	} {
		if float64(got) < 0.98*float64(most) {
			t.Errorf("%s: %d users in a minute, %d without", name, got, most)
		}
	}
	if got := created(t, nil, 20*time.Second, 25*time.Second); float64(got) > 0.96*float64(most) || float64(got) < 0.9*float64(most) {
		t.Errorf("two refusals within 10 s: %d users in a minute, %d without", got, most)
	}
}

// TestARefusedCallGoesAgain refuses calls of both kinds once and twice, which the caller does not notice. The caller gets the
// third refusal.
func TestARefusedCallGoesAgain(t *testing.T) {
	for refusals := range 4 {
		for _, call := range []func(context.Context, *smile.Mutator) error{probe, createWithMetadata} {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				client := clientOf(piped(t, Config{Budget: NewBudget(20)}, func(conn net.Conn, r *http.Request) bool {
					if sent++; sent <= refusals {
						return write(conn, rawAnswer("429 Too Many Requests", tooMany))
					}
					return write(conn, answerTo(r))
				}))
				err := call(t.Context(), client)
				if refusals < maxSends && (err != nil || sent != refusals+1) {
					t.Errorf("%d refusals: sent %d times, %v", refusals, sent, err)
				}
				if _, throttled := smile.ThrottledFor(err); refusals == maxSends && (!throttled || sent != maxSends || !smile.NotCreated(err)) {
					t.Errorf("sent %d times, %v", sent, err)
				}
			})
		}
	}
}

func createWithMetadata(ctx context.Context, c *smile.Mutator) error {
	_, err := c.CreateUser(ctx, map[string]string{"key": "value"})
	return err
}

// TestARefusedCallGoesAgainWhole checks what is sent the second time.
func TestARefusedCallGoesAgainWhole(t *testing.T) {
	var bodies []string
	next := tripper(func(r *http.Request) (*http.Response, error) {
		text, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(text))
		if r.GetBody != nil {
			t.Error("net/http could repeat the request by itself")
		}
		status := http.StatusTooManyRequests
		if len(bodies) == 2 {
			status = http.StatusCreated
		}
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(tooMany))}, nil
	})
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, pipeOrigin, strings.NewReader("whole"))
	response, err := slot(NewBudget(0), NewMetrics(), leading)(next).RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusCreated {
		t.Fatal(response, err)
	}
	_ = response.Body.Close()
	if want := "whole"; len(bodies) != 2 || bodies[0] != want || bodies[1] != want {
		t.Errorf("sent %q", bodies)
	}
}

// TestOnlyARefusalGoesAgain returns responses to a POST that leave its outcome unknown.
func TestOnlyARefusalGoesAgain(t *testing.T) {
	for name, answer := range map[string]string{
		"500": rawAnswer("500 Internal Server Error", tooMany), "503": rawAnswer("503 Service Unavailable", tooMany, "Retry-After: 1"),
		"cut": "HTTP/1.1 429 Too M", "none": "",
	} {
		synctest.Test(t, func(t *testing.T) {
			requests := 0
			client := clientOf(piped(t, Config{}, func(conn net.Conn, _ *http.Request) bool {
				requests++
				_ = write(conn, answer)
				return false
			}))
			if err := create(t.Context(), client); err == nil || smile.NotCreated(err) || requests != 1 {
				t.Errorf("%s: sent %d times, %v", name, requests, err)
			}
		})
	}
}

// TestTheFenceIsAskedBeforeEachSending loses the lease while a call is refused.
func TestTheFenceIsAskedBeforeEachSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, requests := errors.New("the lease is old"), 0
		fence := func() error {
			if requests > 0 {
				return lost
			}
			return nil
		}
		client := clientOf(piped(t, Config{Fence: fence}, func(conn net.Conn, _ *http.Request) bool {
			requests++
			return write(conn, rawAnswer("429 Too Many Requests", tooMany))
		}))
		err := create(t.Context(), client)
		if !errors.Is(err, lost) || !smile.NotCreated(err) || requests != 1 {
			t.Errorf("sent %d times, %v", requests, err)
		}
	})
}

// TestARefusedCallGoesFirst refuses a call while others wait.
func TestARefusedCallGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, order := NewBudget(10), make(chan string, 5)
		_ = b.Wait(t.Context())
		for _, flow := range []string{"a", "a", "b"} {
			go func() { _ = b.Wait(WithFlow(t.Context(), flow)); order <- flow }()
			synctest.Wait()
		}
		go func() { _, _ = b.wait(WithFlow(t.Context(), "b"), true); order <- "again" }()
		synctest.Wait()
		if got := <-order; got != "again" {
			t.Errorf("%s went first", got)
		}
		for range 3 {
			<-order
		}
	})
}
