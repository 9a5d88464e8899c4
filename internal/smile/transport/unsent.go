package transport

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// markUnsent returns an UnsentError for a failure before there was a connection to write
// to. After that, every call counts as sent.
func markUnsent(next http.RoundTripper) http.RoundTripper {
	return tripper(func(request *http.Request) (*http.Response, error) {
		var connected, badHandshake atomic.Bool
		trace := &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
			TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
				badHandshake.Store(err != nil)
			},
		}
		ctx := httptrace.WithClientTrace(request.Context(), trace)
		response, err := next.RoundTrip(request.WithContext(ctx))
		if err == nil || connected.Load() {
			return response, err
		}
		return nil, &smile.UnsentError{Cause: unsentCause(err, badHandshake.Load())}
	})
}

func unsentCause(err error, badHandshake bool) error {
	if refused, ok := errors.AsType[*smile.HostError](err); ok {
		return refused
	}
	cause := smile.Classify(err)
	if badHandshake && errors.Is(cause, smile.FailureNetwork) {
		return smile.FailureTLS
	}
	return cause
}
