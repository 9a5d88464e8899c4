package transport

import (
	"net/http"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// guard sends nothing to a host that the policy does not permit, even if the endpoint
// was checked before.
func guard(hosts *HostPolicy) step {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(request *http.Request) (*http.Response, error) {
			if err := hosts.permit(request.URL); err != nil {
				return nil, &smile.UnsentError{Cause: err}
			}
			return next.RoundTrip(request)
		})
	}
}
