package transport

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// TestAHostThatHangsGetsOneCallAtATime makes a host time out repeatedly, and then
// respond.
func TestAHostThatHangsGetsOneCallAtATime(t *testing.T) {
	ways := map[string]func(net.Conn, *http.Request) bool{
		"no answer": func(net.Conn, *http.Request) bool { return true },
		"half a body": func(conn net.Conn, _ *http.Request) bool {
			return write(conn, rawAnswer("200 OK", proofAnswer)[:100])
		},
	}
	for name, hang := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var answers sync.Map
				host := new(Host)
				config := Config{Host: host, ReadTimeout: 10 * time.Second}
				serve := func(conn net.Conn, r *http.Request) bool {
					if _, ok := answers.Load("now"); ok {
						return write(conn, answerTo(r))
					}
					return hang(conn, r) && sleep(time.Hour)
				}
				client := clientOf(piped(t, config, serve))
				failures := func(calls int) (timeouts, unsent int) {
					var group sync.WaitGroup
					errs := make(chan error, calls)
					for range calls {
						group.Go(func() { errs <- probe(t.Context(), client) })
						synctest.Wait()
					}
					group.Wait()
					close(errs)
					for err := range errs {
						switch {
						case err == nil:
						case errors.Is(err, FailureUnanswered):
							unsent++
						case errors.Is(err, context.DeadlineExceeded):
							timeouts++
						default:
							t.Errorf("a call failed with %v", err)
						}
					}
					return timeouts, unsent
				}
				if timeouts, _ := failures(2); timeouts != 2 || host.Asked() != nil {
					t.Errorf("%d of the first two calls timed out", timeouts)
				}
				if timeouts, unsent := failures(5); timeouts != 5 || unsent != 0 {
					t.Errorf("of five calls %d timed out, %d were not sent: it has timed out only twice", timeouts, unsent)
				}
				began := time.Now()
				if timeouts, unsent := failures(5); timeouts != 1 || unsent != 4 || time.Since(began) > config.ReadTimeout {
					t.Errorf("of five more calls %d timed out, %d were not sent, after %v", timeouts, unsent, time.Since(began))
				}
				answers.Store("now", true)
				if timeouts, unsent := failures(1); timeouts+unsent != 0 || host.Timeouts() != 0 {
					t.Errorf("the host responds, but %d timeouts are counted", host.Timeouts())
				}
			})
		})
	}
}

func sleep(d time.Duration) bool {
	time.Sleep(d)
	return false
}

// TestOtherFailuresAreAnswers interrupts a sequence of timeouts by a call that fails
// fast.
func TestOtherFailuresAreAnswers(t *testing.T) {
	host := new(Host)
	for range mostTimeouts - 1 {
		host.ended(context.DeadlineExceeded)
	}
	host.ended(context.Canceled)
	if host.Timeouts() != mostTimeouts-1 {
		t.Error("a call that was canceled says something about the host")
	}
	host.ended(smile.FailureReset)
	if host.Timeouts() != 0 {
		t.Error("a connection that was reset counts as a timeout")
	}
}

func TestACallThatPanicsIsNoLongerUnderWay(t *testing.T) {
	host := &Host{timeouts: mostTimeouts}
	send := oneAtATime(host)(tripper(func(*http.Request) (*http.Response, error) { panic("a check failed") }))
	func() {
		defer func() { _ = recover() }()
		response, err := send.RoundTrip(new(http.Request))
		t.Errorf("it returned %v, %v", response, err)
	}()
	if err := host.Asked(); err != nil {
		t.Errorf("the next call is refused: %v", err)
	}
}
