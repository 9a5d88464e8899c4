package app

import (
	"net/http"

	"k8s.io/client-go/rest"
)

// fenced gives the same access to the API server, by which nothing is written while the fence refuses. A leader that
// was paused goes on where it was when it is woken, for as long as it takes to find out that another has taken over:
// what it would write is of the past, and would stay, for nobody looks again at an object that is as it should be.
func fenced(access *rest.Config, fence func() error) *rest.Config {
	access = rest.CopyConfig(access)
	access.Wrap(func(next http.RoundTripper) http.RoundTripper { return fencedWrites{next, fence} })
	return access
}

type fencedWrites struct {
	next  http.RoundTripper
	fence func() error
}

// RoundTrip implements http.RoundTripper.
func (f fencedWrites) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet || request.Method == http.MethodHead {
		return f.next.RoundTrip(request)
	}
	if err := f.fence(); err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, err
	}
	return f.next.RoundTrip(request)
}
