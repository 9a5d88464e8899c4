package transport

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http/httpproxy"
)

const (
	dialTimeout = 5 * time.Second
	keepAlive   = 30 * time.Second
)

// localPrefixes are the addresses behind which somebody else's services may be
// listening: what netip's own predicates do not cover.
var localPrefixes = prefixes(
	"0.0.0.0/8",       // this network
	"100.64.0.0/10",   // shared by carriers, and inside clouds
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"240.0.0.0/4",     // reserved, broadcast
	"fec0::/10",       // site-local
	"2001::/23",       // protocol assignments, Teredo
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4, which embeds an IPv4 address
	"64:ff9b:1::/48",  // NAT64 with a local prefix
)

// nat64 embeds the IPv4 address that is meant in its last four bytes.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(texts ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		parsed[i] = netip.MustParsePrefix(text)
	}
	return parsed
}

// isPublic reports whether an address is one of the public Internet.
func isPublic(address netip.Addr) bool {
	address = address.Unmap()
	if nat64.Contains(address) {
		bytes := address.As16()
		return isPublic(netip.AddrFrom4([4]byte(bytes[12:])))
	}
	if !address.IsGlobalUnicast() || address.IsPrivate() {
		return false
	}
	for _, prefix := range localPrefixes {
		if prefix.Contains(address) {
			return false
		}
	}
	return true
}

// dialer connects to public addresses only, unless the target is an origin that
// was written out, or the proxy. It looks at the very address that is connected to,
// after resolution, so that a name cannot change its meaning in between.
func dialer(hosts *HostPolicy, proxies map[string]bool) func(context.Context, string, string) (net.Conn, error) {
	trusting := &net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}
	wary := &net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive, Control: requirePublic}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if proxies[address] || hosts.local[address] {
			return trusting.DialContext(ctx, network, address)
		}
		return wary.DialContext(ctx, network, address)
	}
}

func requirePublic(_, address string, _ syscall.RawConn) error {
	resolved, err := netip.ParseAddrPort(address)
	if err == nil && isPublic(resolved.Addr()) {
		return nil
	}
	return hostError("its host has a loopback, private or otherwise local address",
		"if that is meant, write its origin out, as https://host:port, in the operator's flag --allowed-api-hosts")
}

func proxyOf(config *httpproxy.Config) func(*http.Request) (*url.URL, error) {
	choose := config.ProxyFunc()
	return func(request *http.Request) (*url.URL, error) { return choose(request.URL) }
}

// proxyAddresses are the host:port of the configured proxies, which usually are
// local.
func proxyAddresses(config *httpproxy.Config) map[string]bool {
	addresses := map[string]bool{}
	for _, text := range []string{config.HTTPProxy, config.HTTPSProxy} {
		if address := proxyAddress(text); address != "" {
			addresses[address] = true
		}
	}
	return addresses
}

var proxyPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

func proxyAddress(text string) string {
	if text == "" {
		return ""
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	proxy, err := url.Parse(text)
	if err != nil || proxy.Hostname() == "" {
		return ""
	}
	port := proxy.Port()
	if port == "" {
		port = proxyPorts[proxy.Scheme]
	}
	return net.JoinHostPort(proxy.Hostname(), port)
}
