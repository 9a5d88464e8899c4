package server

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// controlPath is the root of the control API.
const controlPath = "/_sandbox"

// openPaths are below controlPath and may be read from any origin. Links of the
// vendor's API lead to them, or they are the same for everybody.
var openPaths = []string{
	"/exports/", "/samples/", "/openapi.yaml", "/healthz",
}

// guardControl protects the control API, which has no credentials, against web
// pages of other origins: a browser sends their requests from the developer's
// own machine. It refuses a foreign Origin, a foreign Sec-Fetch-Site, and a Host
// that another site could have resolved to this address. The names in permitted
// are not foreign.
func guardControl(permitted []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if problem := foreign(r, permitted); isControl(r) && problem != "" {
			answering(func(*http.Request) (any, error) {
				return nil, &ControlError{http.StatusForbidden, problem}
			})(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isControl(r *http.Request) bool {
	below, inside := strings.CutPrefix(r.URL.Path, controlPath)
	if !inside || below != "" && below[0] != '/' {
		return false
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	return !reads || !slices.ContainsFunc(openPaths, func(open string) bool { return strings.HasPrefix(below, open) })
}

// foreign says why a request may come from a page of another origin, "" if it
// does not.
func foreign(r *http.Request, permitted []string) string {
	const remedy = " for " + controlPath + "; --control-hosts permits names"
	host, origin, site := hostOf(r.Host), r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	switch {
	case !isLocal(host) && !slices.Contains(permitted, host):
		return "Host " + abridged(r.Host) + " is not permitted" + remedy
	case origin != "" && !isOwn(origin, r.Host, permitted):
		return "Origin " + abridged(origin) + " is not permitted" + remedy
	case origin == "" && site != "" && site != "same-origin" && site != "none":
		return "requests from pages of other sites are not permitted" + remedy
	}
	return ""
}

// isOwn reports whether an origin is the one that was called, or a permitted one.
func isOwn(origin, called string, permitted []string) bool {
	from, err := url.Parse(origin)
	if err != nil || from.Host == "" {
		return false
	}
	return strings.EqualFold(from.Host, called) || slices.Contains(permitted, hostOf(from.Host))
}

// isLocal reports whether no other site can have this host: an address, or a name
// that always means this machine.
func isLocal(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// hostOf is a host in lower case, without port and brackets.
func hostOf(hostPort string) string {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = hostPort
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// abridged shortens what a client sent.
func abridged(text string) string {
	const longest = 100
	return `"` + text[:min(len(text), longest)] + `"`
}
