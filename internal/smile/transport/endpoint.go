package transport

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
)

const (
	maxEndpointLength = 500
	maxHostLength     = 253
	maxLabelLength    = 63
)

// forbidden are the characters that an endpoint must not contain, with the reason.
// Every parser reads a URL without them in the same way.
var forbidden = []struct{ characters, reason string }{
	{"@", "it contains user information"},
	{"?", "it contains a query"},
	{"#", "it contains a fragment"},
	{`\`, "it contains a backslash"},
	{"%", "it contains an encoded character"},
}

const plainCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/.-_~[]"

// parseEndpoint reads the URL of an API and returns it in its normal form: lower case,
// no default port, no slash at the end. If it is wrong, the reason is returned in fixed
// words.
func parseEndpoint(text string) (endpoint *url.URL, reason string) {
	if reason := badCharacter(text); reason != "" {
		return nil, reason
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Opaque != "" || parsed.Host == "" {
		return nil, "it is not an absolute URL"
	}
	if parsed.Scheme != "https" && parsed.Scheme != "http" {
		return nil, "its scheme is neither https nor http"
	}
	host, reason := parseHost(parsed)
	if reason != "" {
		return nil, reason
	}
	clean := strings.TrimSuffix(parsed.Path, "/")
	if clean != "" && path.Clean(clean) != clean {
		return nil, "its path contains . or .. or an empty segment"
	}
	return &url.URL{Scheme: parsed.Scheme, Host: host, Path: clean}, ""
}

func badCharacter(text string) string {
	if len(text) > maxEndpointLength {
		return "it is too long"
	}
	for _, f := range forbidden {
		if strings.ContainsAny(text, f.characters) {
			return f.reason
		}
	}
	if !consistsOf(text, plainCharacters) {
		return "it contains a character other than A-Z a-z 0-9 : / . - _ ~ [ ]"
	}
	return ""
}

func consistsOf(text, characters string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(characters, r) })
}

// parseHost returns the host, and the port unless it is the default of the scheme.
func parseHost(u *url.URL) (host, reason string) {
	host = strings.ToLower(u.Hostname())
	if address, err := netip.ParseAddr(host); err == nil {
		host = address.String()
	} else if !isDNSName(host) {
		return "", "its host is not a DNS name"
	}
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return "", "its port is empty"
		}
		return bracketed(host), ""
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || strconv.FormatUint(number, 10) != port {
		return "", "its port is not a number from 1 to 65535"
	}
	if port == defaultPorts[u.Scheme] {
		return bracketed(host), ""
	}
	return net.JoinHostPort(host, port), ""
}

var defaultPorts = map[string]string{"https": "443", "http": "80"}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// isDNSName reports whether name consists of lower-case DNS labels that are not empty.
// The last one must not be a number: 127.1 and 0x7f.1 are addresses for some resolvers.
func isDNSName(name string) bool {
	if len(name) > maxHostLength {
		return false
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if !isDNSLabel(label) {
			return false
		}
	}
	last := labels[len(labels)-1]
	_, err := strconv.ParseUint(last, 0, 64)
	return err != nil && !consistsOf(last, "0123456789")
}

func isDNSLabel(label string) bool {
	return label != "" && len(label) <= maxLabelLength &&
		label[0] != '-' && label[len(label)-1] != '-' &&
		consistsOf(label, "abcdefghijklmnopqrstuvwxyz0123456789-")
}

// originOf is scheme, host and port, which decide where credentials are sent.
func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// HostPort returns the host and port of an endpoint. The port is always present.
func HostPort(endpoint *url.URL) string {
	port := endpoint.Port()
	if port == "" {
		port = defaultPorts[endpoint.Scheme]
	}
	return net.JoinHostPort(endpoint.Hostname(), port)
}
