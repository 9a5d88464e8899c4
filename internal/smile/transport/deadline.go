package transport

import (
	"context"
	"io"
	"net/http"
	"time"
)

// deadline bounds a call from the moment of sending to the last byte of its response.
// From then on, the context of a mutating call is ignored: to interrupt the call, as a
// shutdown would, leaves its outcome unknown.
func deadline(read, mutate time.Duration) step {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(request *http.Request) (*http.Response, error) {
			ctx, limit := request.Context(), read
			if request.Method != http.MethodGet {
				ctx, limit = context.WithoutCancel(ctx), mutate
			}
			ctx, cancel := context.WithTimeout(ctx, limit)
			response, err := next.RoundTrip(request.WithContext(ctx))
			if err != nil {
				cancel()
				return nil, err
			}
			response.Body = closing{response.Body, cancel}
			return response, nil
		})
	}
}

// closing is a body that calls after when it is closed.
type closing struct {
	io.ReadCloser
	after func()
}

// Close implements io.Closer.
func (c closing) Close() error {
	defer c.after()
	return c.ReadCloser.Close()
}
