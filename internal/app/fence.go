package app

import (
	"net/http"

	"k8s.io/client-go/rest"
)

// fenced returns the same access to the API server, except that nothing is written while the fence refuses. A leader that was
// paused continues for a moment before it notices that another process has taken over. What it would write is out of date, and
// would stay, because the new leader does not reconcile an object in which nothing is due.
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
