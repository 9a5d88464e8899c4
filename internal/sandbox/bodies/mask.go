package bodies

import (
	"net/http"
	"regexp"
	"strings"
)

// mask replaces a secret.
const mask = "•••"

// secretHeaders are headers with credentials. The scheme in front of them stays.
var secretHeaders = []string{"Authorization", "Cookie", "Proxy-Authorization"}

func maskHeader(header http.Header) (shown http.Header, masked bool) {
	shown = header.Clone()
	for _, name := range secretHeaders {
		for i, value := range shown[name] {
			scheme, _, found := strings.Cut(value, " ")
			if !found {
				scheme = ""
			}
			shown[name][i] = strings.TrimSpace(scheme + " " + mask)
			masked = true
		}
	}
	return shown, masked
}

// The values of JSON fields that are secrets: of webhooks, link tokens and logins. The
// code of a request is a one-time code, that of a response is not. A body that was
// cut off is no longer JSON, so its text is searched.
var (
	secretsOfRequests  = secretFields("secret|password|accessToken|mfa|code")
	secretsOfResponses = secretFields("secret|password|accessToken|mfa")
)

func secretFields(names string) *regexp.Regexp {
	return regexp.MustCompile(`("(?:` + names + `)"\s*:\s*")(?:[^"\\]|\\.)*("|$)`)
}

func maskBody(body []byte, secrets *regexp.Regexp) []byte {
	return secrets.ReplaceAll(body, []byte("${1}"+mask+"${2}"))
}
