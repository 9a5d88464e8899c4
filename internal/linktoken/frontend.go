package linktoken

import (
	"net/url"
	"strings"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// Frontend is where the browser of an end user finds the widget.
type Frontend struct {
	// APIHost is the value of the widget's option apiHost.
	APIHost string
	// ScriptURL is where the widget's script is.
	ScriptURL string
}

const vendorDomain = "smileapi.io"

// FrontendOf finds the frontend that belongs to an endpoint of the API: the vendor's, by mode, or else that of the sandbox
// at the endpoint's own origin.
func FrontendOf(endpoint string, mode v1alpha1.Mode) Frontend {
	parsed, err := url.Parse(endpoint)
	if err != nil || !strings.HasSuffix("."+parsed.Hostname(), "."+vendorDomain) {
		origin := strings.TrimSuffix(endpoint, parsed.EscapedPath())
		return Frontend{APIHost: origin + "/v1", ScriptURL: origin + "/v2/smile.v2.js"}
	}
	host := "https://link." + vendorDomain
	if mode == v1alpha1.ModeSandbox {
		host = "https://link-sandbox." + vendorDomain
	}
	return Frontend{APIHost: host + "/v1", ScriptURL: "https://web." + vendorDomain + "/v2/smile.v2.js"}
}
