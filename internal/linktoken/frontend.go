package linktoken

import (
	"cmp"
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
// at the endpoint's own origin. Without a version of the script, it is v2.
func FrontendOf(endpoint string, mode v1alpha1.Mode, version v1alpha1.SDKVersion) Frontend {
	version = cmp.Or(version, v1alpha1.SDKv2)
	script := "/" + string(version) + "/smile." + string(version) + ".js"
	parsed, err := url.Parse(endpoint)
	if err != nil || !strings.HasSuffix("."+parsed.Hostname(), "."+vendorDomain) {
		origin := strings.TrimSuffix(endpoint, parsed.EscapedPath())
		return Frontend{APIHost: origin + "/v1", ScriptURL: origin + script}
	}
	host := "https://link." + vendorDomain
	if mode == v1alpha1.ModeSandbox {
		host = "https://link-sandbox." + vendorDomain
	}
	return Frontend{APIHost: host + "/v1", ScriptURL: "https://web." + vendorDomain + script}
}

// ModeName is the vendor's name of a mode.
func ModeName(mode v1alpha1.Mode) string { return strings.ToUpper(string(mode)) }
