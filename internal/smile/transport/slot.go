package transport

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// maxSends is how often a call is sent if the host refuses it as one too many.
	maxSends = 3
	// maxDrained is how much of a refusal is read, so that its connection can be used again.
	maxDrained = 4 << 10
)

// slot waits for the budget, then runs the fence and the checks of the call's context. Until then, the caller's context cancels
// the call. A call that is refused with 429 has done nothing: it is sent again in the next slot, unless the host requires a pause
// that is longer than callers wait. Nothing else is sent again.
func slot(budget *Budget, metrics *Metrics, fence Fence) step {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(request *http.Request) (*http.Response, error) {
			body, err := bodyOf(request)
			if err != nil {
				return nil, &smile.UnsentError{Cause: smile.FailureNetwork}
			}
			for sends := 1; ; sends++ {
				going, err := admit(budget, metrics, request, sends > 1)
				if err == nil {
					err = permitted(request, fence)
				}
				if err != nil {
					return nil, &smile.UnsentError{Cause: err}
				}
				sent := time.Now()
				response, err := next.RoundTrip(reportingDeparture(budget, going, attempt(request, body)))
				if err != nil || response.StatusCode != http.StatusTooManyRequests {
					return response, err
				}
				pause := smile.RetryAfter(response.Header, time.Now())
				budget.Refused(sent, pause)
				if sends == maxSends || pause > patience {
					return response, nil
				}
				_, _ = io.CopyN(io.Discard, response.Body, maxDrained)
				_ = response.Body.Close()
			}
		})
	}
}

// admit waits for the call's slot.
func admit(budget *Budget, metrics *Metrics, request *http.Request, again bool) (*departure, error) {
	ctx, queued := request.Context(), time.Now()
	going, err := budget.wait(ctx, again)
	if err != nil {
		return nil, err
	}
	metrics.waited(time.Since(queued))
	return going, nil
}

// reportingDeparture reports to the budget when the request is written.
func reportingDeparture(budget *Budget, going *departure, request *http.Request) *http.Request {
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { budget.departed(going) }}
	return request.WithContext(httptrace.WithClientTrace(request.Context(), trace))
}

// bodyOf reads the whole body of a request; nil when it has none.
func bodyOf(request *http.Request) ([]byte, error) {
	if request.Body == nil || request.Body == http.NoBody {
		return nil, nil
	}
	defer request.Body.Close()
	return io.ReadAll(request.Body)
}

// attempt is a copy of a request with the whole body. GetBody stays nil, so that net/http never sends a mutating request again.
func attempt(request *http.Request, body []byte) *http.Request {
	if body == nil {
		return request
	}
	again := request.Clone(request.Context())
	again.Body, again.GetBody = io.NopCloser(bytes.NewReader(body)), nil
	return again
}

// payReplays takes another slot when net/http sends a request again. It does so with
// a GET whose idle connection turns out to be closed.
func payReplays(budget *Budget) step {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(request *http.Request) (*http.Response, error) {
			ctx, sent := request.Context(), false
			trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
				if sent {
					// If this fails, so does the call, which has the same context.
					_ = budget.Wait(ctx)
				}
				sent = true
			}}
			return next.RoundTrip(request.WithContext(httptrace.WithClientTrace(ctx, trace)))
		})
	}
}
