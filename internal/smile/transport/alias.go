package transport

import (
	"net/url"
	"strings"
)

// aliases are the other names that the vendor's documents use for some hosts. Both names are one API, with the same users.
var aliases = map[string]string{"open-sandbox.smileapi.io": "sandbox.smileapi.io"}

// vendorDomain is the domain of all the vendor's hosts.
const vendorDomain = "smileapi.io"

// Canonical returns an endpoint with the main name of its host. Endpoints with the same canonical form are the same API, and show
// the same users to a key pair.
func Canonical(endpoint *url.URL) *url.URL {
	name, ok := aliases[endpoint.Hostname()]
	if !ok {
		return endpoint
	}
	canonical := *endpoint
	canonical.Host = name
	if port := endpoint.Port(); port != "" {
		canonical.Host += ":" + port
	}
	return &canonical
}

// CanonicalText is Canonical for text. Text that is not an endpoint is returned unchanged.
func CanonicalText(endpoint string) string {
	parsed, reason := parseEndpoint(endpoint)
	if reason != "" {
		return endpoint
	}
	return Canonical(parsed).String()
}

// BudgetHost names the budget of an endpoint: its host and port, or the vendor's domain for all of the vendor's hosts, because
// their limit counts the calls to all of them together.
func BudgetHost(endpoint *url.URL) string {
	host := endpoint.Hostname()
	if host == vendorDomain || strings.HasSuffix(host, "."+vendorDomain) {
		return vendorDomain
	}
	return HostPort(endpoint)
}
