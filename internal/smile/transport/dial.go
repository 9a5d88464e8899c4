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

// dialer connects only to public addresses, unless the target is an origin that was
// written out, or the proxy. The vendor's hosts may also be at the exempt addresses. The
// address is checked after resolution, when it is connected to, so that the name cannot
// resolve to another address in between.
func dialer(
	hosts *HostPolicy, proxies map[string]bool, exempt []netip.Prefix, resolver *net.Resolver,
) func(context.Context, string, string) (net.Conn, error) {
	dial := func(control func(network, address string, _ syscall.RawConn) error) *net.Dialer {
		return &net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive, Control: control, Resolver: resolver}
	}
	trusting, wary, toVendor := dial(nil), dial(requirePublic), dial(requirePublicOr(exempt))
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		switch {
		case proxies[address] || hosts.local[address]:
			return trusting.DialContext(ctx, network, address)
		case hosts.vendor[address]:
			return toVendor.DialContext(ctx, network, address)
		}
		return wary.DialContext(ctx, network, address)
	}
}

const localAddress = "its host has a loopback, private or otherwise local address"

func requirePublic(_, address string, _ syscall.RawConn) error {
	resolved, err := netip.ParseAddrPort(address)
	if err == nil && isPublic(resolved.Addr()) {
		return nil
	}
	return hostError(localAddress,
		"to permit that, write its origin out, as https://host:port, in the operator's flag --allowed-api-hosts")
}

func requirePublicOr(exempt []netip.Prefix) func(_, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		resolved, err := netip.ParseAddrPort(address)
		if err == nil && (isPublic(resolved.Addr()) || within(exempt, resolved.Addr().Unmap().WithZone(""))) {
			return nil
		}
		return hostError(localAddress, "if a gateway is there, name it in the operator's flag --vendor-address-exemptions, "+
			`and annotate the credentials Secret with smile-operator.io/allow-vendor-addresses: "true"`)
	}
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
