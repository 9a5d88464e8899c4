package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// FailureUnanswered is the cause of an UnsentError while a host does not respond and gets one call at a time.
const FailureUnanswered smile.Failure = "the host does not respond, and one call at a time is sent to it"

// mostTimeouts is after how many timeouts in a row a host gets only one call at a time.
const mostTimeouts = 3

// Host records whether an API host responds. After three timeouts in a row, calls fail at once while another one is under way,
// until the host responds. So a host that hangs occupies one call and its worker. The zero Host has never timed out.
type Host struct {
	mu       sync.Mutex
	calls    int
	timeouts int
}

// HostName identifies the host of an endpoint. It is the same for its aliases.
func HostName(endpoint *url.URL) string { return HostPort(Canonical(endpoint)) }

// Host returns the Host of a name, always the same one. The name is a result of HostName.
func (s *BudgetSet) Host(name string) *Host {
	s.mu.Lock()
	defer s.mu.Unlock()
	host, ok := s.hosts[name]
	if !ok {
		host = new(Host)
		s.hosts[name] = host
	}
	return host
}

// Timeouts is how many calls in a row have timed out.
func (h *Host) Timeouts() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.timeouts
}

// Asked returns why no call may be made now: the host does not respond, and another call is under way. It is nil if a call may be
// made.
func (h *Host) Asked() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked()
}

func (h *Host) asked() error {
	if h.timeouts >= mostTimeouts && h.calls > 0 {
		return &smile.UnsentError{Cause: FailureUnanswered}
	}
	return nil
}

func (h *Host) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.asked(); err != nil {
		return err
	}
	h.calls++
	return nil
}

func (h *Host) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls--
}

// ended records how a call that was sent has ended.
func (h *Host) ended(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch cause := smile.Classify(err); {
	case err == nil:
		h.timeouts = 0
	case errors.Is(cause, context.DeadlineExceeded):
		h.timeouts++
	case !errors.Is(cause, context.Canceled):
		h.timeouts = 0
	}
}

// oneAtATime sends calls to a host that does not respond one at a time. It comes before the budget, so that a refused call takes
// no slot.
func oneAtATime(host *Host) step {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(request *http.Request) (response *http.Response, err error) {
			if err := host.enter(); err != nil {
				return nil, err
			}
			defer func() {
				if response == nil { // also after a panic, which the caller recovers
					host.leave()
				}
			}()
			if response, err = next.RoundTrip(request); err != nil {
				return nil, err
			}
			response.Body = closing{response.Body, sync.OnceFunc(host.leave)}
			return response, nil
		})
	}
}

// countTimeouts records with the host how each call that was sent has ended.
func countTimeouts(host *Host) step {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(request *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(request)
			if err != nil {
				host.ended(err)
				return nil, err
			}
			response.Body = &watchedBody{ReadCloser: response.Body, ended: host.ended}
			return response, nil
		})
	}
}

// watchedBody reports, once, how reading it has ended.
type watchedBody struct {
	io.ReadCloser
	ended func(error)
	err   error
	once  sync.Once
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// Close implements io.Closer.
func (b *watchedBody) Close() error {
	b.once.Do(func() { b.ended(b.err) })
	return b.ReadCloser.Close()
}
