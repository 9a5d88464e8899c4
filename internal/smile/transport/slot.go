package transport

import (
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// slot waits for the budget, then asks the call's fence. Until both have passed,
// the caller's context cancels the call.
func slot(budget *Budget, metrics *Metrics) step {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(request *http.Request) (*http.Response, error) {
			ctx, queued := request.Context(), time.Now()
			if err := budget.Wait(ctx); err != nil {
				return nil, &smile.UnsentError{Cause: err}
			}
			metrics.waited(time.Since(queued))
			if err := smile.FenceFrom(ctx)(); err != nil {
				return nil, &smile.UnsentError{Cause: err}
			}
			response, err := next.RoundTrip(request)
			if err == nil && response.StatusCode == http.StatusTooManyRequests {
				budget.Pause(smile.RetryAfter(response.Header, time.Now()))
			}
			return response, err
		})
	}
}

// payReplays takes a further slot when net/http sends a request again, which it
// does with a GET whose idle connection turned out to be closed.
func payReplays(budget *Budget) step {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(request *http.Request) (*http.Response, error) {
			ctx, sent := request.Context(), false
			trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
				if sent {
					// When this fails, so does the call, of the same context.
					_ = budget.Wait(ctx)
				}
				sent = true
			}}
			return next.RoundTrip(request.WithContext(httptrace.WithClientTrace(ctx, trace)))
		})
	}
}
