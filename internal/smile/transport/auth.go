package transport

import (
	"net/http"
	"strings"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// FailureNoCredentials is the cause of an UnsentError if there is no usable key pair:
// one half is empty, or the key contains a colon, which basic authentication does not
// allow.
const FailureNoCredentials smile.Failure = "no usable credentials"

// Credentials is a key pair.
type Credentials struct {
	Key    smile.Sensitive[string]
	Secret smile.Sensitive[string]
}

func (c Credentials) usable() bool {
	key := c.Key.Reveal()
	return key != "" && c.Secret.Reveal() != "" && !strings.Contains(key, ":")
}

// authenticate adds the credentials. It reads them once, so that a call never has the
// halves of two pairs.
func authenticate(credentials func() Credentials, userAgent string) step {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(request *http.Request) (*http.Response, error) {
			pair := credentials()
			if !pair.usable() {
				return nil, &smile.UnsentError{Cause: FailureNoCredentials}
			}
			signed := request.Clone(request.Context())
			signed.SetBasicAuth(pair.Key.Reveal(), pair.Secret.Reveal())
			signed.Header.Set("User-Agent", userAgent)
			return next.RoundTrip(signed)
		})
	}
}
