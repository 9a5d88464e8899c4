package hook

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// Policy says where events may be sent.
type Policy struct {
	base  *url.URL
	hosts map[string]bool
}

// NewPolicy permits the operator's own receiver at a base URL (empty for none), and the hosts of a list, each as host or
// host:port.
func NewPolicy(receiverBase string, allowedHosts []string) (*Policy, error) {
	p := &Policy{hosts: map[string]bool{}}
	for i, entry := range allowedHosts {
		parsed, reason := parse("https://" + entry)
		switch {
		case reason != "":
			return nil, fmt.Errorf("--allowed-webhook-hosts: entry %d: %s", i+1, reason)
		case parsed.Path != "":
			return nil, fmt.Errorf("--allowed-webhook-hosts: entry %d: only host and host:port are permitted", i+1)
		}
		p.hosts[parsed.Host] = true
	}
	if receiverBase == "" {
		return p, nil
	}
	base, reason := parse(receiverBase)
	if reason != "" {
		return nil, fmt.Errorf("--receiver-base-url: %s", reason)
	}
	if base.Path = strings.TrimSuffix(base.Path, "/"); len(base.String()) > maxBaseLength {
		return nil, errors.New("--receiver-base-url: it is too long")
	}
	p.base = base
	return p, nil
}

const maxBaseLength = smile.MaxWebhookURLLength - len(Prefix) - 64

// Receives reports whether the operator has its own receiver.
func (p *Policy) Receives() bool { return p.base != nil }

// Own is the URL at which the operator's receiver accepts events of a path.
func (p *Policy) Own(path string) string { return p.base.String() + Prefix + path }

// OwnShown is the part of it that may be shown.
func (p *Policy) OwnShown() string { return p.base.String() + Prefix + "…" }

// Check parses the URL of a subscription. It returns the URL in a canonical form, or the reason why no events are sent there. The
// reason quotes nothing.
func (p *Policy) Check(text string) (canonical, reason string) {
	parsed, reason := parse(text)
	switch {
	case reason != "":
		return "", reason
	case parsed.Scheme != "https":
		return "", "its scheme is not https"
	case !p.hosts[parsed.Host]:
		return "", "its host is not on the operator's flag --allowed-webhook-hosts"
	}
	return parsed.String(), ""
}

// odd are characters that parsers of URLs interpret differently.
var odd = []struct{ characters, reason string }{
	{"@", "it contains user information"},
	{"?", "it contains a query"},
	{"#", "it contains a fragment"},
	{`\`, "it contains a backslash"},
	{"%", "it contains an encoded character"},
}

func badText(text string) (reason string) {
	if len(text) > smile.MaxWebhookURLLength {
		return "it is too long"
	}
	for _, o := range odd {
		if strings.ContainsAny(text, o.characters) {
			return o.reason
		}
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "it contains a character that is not printable ASCII"
	}
	return ""
}

// parse parses an absolute URL that all parsers interpret alike, and returns it in a canonical form: lower-case host, no default
// port.
func parse(text string) (parsed *url.URL, reason string) {
	if reason := badText(text); reason != "" {
		return nil, reason
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Opaque != "" || parsed.Host == "" {
		return nil, "it is not an absolute URL"
	}
	if _, ok := defaultPorts[parsed.Scheme]; !ok {
		return nil, "its scheme is neither https nor http"
	}
	host, reason := hostOf(parsed)
	if reason != "" {
		return nil, reason
	}
	if clean := strings.TrimSuffix(parsed.Path, "/"); clean != "" && path.Clean(clean) != clean {
		return nil, "its path contains . or .. or an empty segment"
	}
	return &url.URL{Scheme: parsed.Scheme, Host: host, Path: parsed.Path}, ""
}

var defaultPorts = map[string]string{"https": "443", "http": "80"}

func hostOf(u *url.URL) (host, reason string) {
	host = strings.ToLower(u.Hostname())
	if address, err := netip.ParseAddr(host); err == nil {
		host = address.String()
	} else if !dnsName(host) {
		return "", "its host is not a DNS name"
	}
	port := u.Port()
	switch {
	case strings.HasSuffix(u.Host, ":"):
		return "", "its port is empty"
	case port != "" && !validPort(port):
		return "", "its port is not a number from 1 to 65535"
	case port != "" && port != defaultPorts[u.Scheme]:
		return net.JoinHostPort(host, port), ""
	case strings.Contains(host, ":"):
		return "[" + host + "]", ""
	default:
		return host, ""
	}
}

func validPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number != 0 && strconv.FormatUint(number, 10) == port
}

// dnsName reports whether a name consists of lower-case DNS labels and does not end in a number: some parsers read 127.1 and
// 0x7f.1 as addresses.
func dnsName(name string) bool {
	labels := strings.Split(name, ".")
	last := labels[len(labels)-1]
	_, err := strconv.ParseUint(last, 0, 64)
	number := err == nil || strings.Trim(last, "0123456789") == ""
	return len(name) <= 253 && !number && !slices.ContainsFunc(labels, badLabel)
}

func badLabel(label string) bool {
	return label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
		strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != ""
}
