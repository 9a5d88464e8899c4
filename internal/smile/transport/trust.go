package transport

import (
	"crypto/x509"
	"net/http"
	"sync"

	"golang.org/x/net/http/httpproxy"
)

// trustingBase uses the network, and trusts the certificate authorities that Config.Roots returns at the time of each call. When
// they change, the connections that were verified by the former ones end with the calls that use them.
type trustingBase struct {
	roots func() *x509.CertPool
	build func(roots *x509.CertPool) *http.Transport

	mu      sync.Mutex
	trusted *x509.CertPool
	base    *http.Transport
}

func newTrustingBase(config Config, proxy *httpproxy.Config) *trustingBase {
	b := &trustingBase{
		roots:   config.Roots,
		build:   func(roots *x509.CertPool) *http.Transport { return newBase(config, proxy, roots) },
		trusted: config.Roots(),
	}
	b.base = b.build(b.trusted)
	return b
}

// RoundTrip implements http.RoundTripper.
func (b *trustingBase) RoundTrip(request *http.Request) (*http.Response, error) {
	return b.present().RoundTrip(request)
}

func (b *trustingBase) present() *http.Transport {
	b.mu.Lock()
	defer b.mu.Unlock()
	roots := b.roots() // while locked, so that no late caller brings a former pool back
	if roots != b.trusted {
		former := b.base
		b.trusted, b.base = roots, b.build(roots)
		former.CloseIdleConnections() // also closes those that are in use now as soon as they become idle
	}
	return b.base
}

// CloseIdleConnections closes the connections that no call uses.
func (b *trustingBase) CloseIdleConnections() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.base.CloseIdleConnections()
}
