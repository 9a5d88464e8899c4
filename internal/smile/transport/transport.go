// Package transport carries the calls of a smile.Client to the API: with
// credentials, inside the call budget, to permitted hosts only, and bounded in
// time and size.
//
// It is a chain of small steps, each an http.RoundTripper around the next.
package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// Defaults and bounds of a Transport.
const (
	// DefaultReadTimeout bounds a read from the moment of sending to the last byte.
	DefaultReadTimeout = 30 * time.Second
	// DefaultMutateTimeout does the same for a mutating call. It is less than the time
	// between an old leader's last possible call and a new leader's first one.
	DefaultMutateTimeout = 8 * time.Second
	// MaxBodyBytes bounds the body of a response, after decompression.
	MaxBodyBytes = 4 << 20

	maxHeaderBytes = 64 << 10
	maxIdleConns   = 16
	// idleTimeout is below the usual 60 s of servers and load balancers: a POST on a
	// connection that the other side is just closing has an unknown outcome.
	idleTimeout = 30 * time.Second
)

// Config describes a Transport. All but Credentials and Fence is optional.
type Config struct {
	// Credentials is called once per call, when it is about to be sent.
	Credentials func() Credentials
	// Fence is checked before each sending of a call that is not a GET. Without it, all such calls are refused.
	Fence Fence
	// Budget paces the calls; nil is no limit. Transports of the same host share one.
	Budget *Budget
	// Host records whether the host responds. Transports of the same host share one; nil makes one for this Transport alone.
	Host *Host
	// Hosts are the hosts that are called; nil permits the vendor's.
	Hosts *HostPolicy
	// AllowExemptAddresses permits that the vendor's hosts are at the addresses that Hosts exempts.
	AllowExemptAddresses bool
	// Roots returns the certificate authorities that verify the server: another pool when they have changed, or nil for the system
	// pool. It is called before each call. If Roots is nil, the system pool is used.
	Roots func() *x509.CertPool
	// Resolver resolves the names of hosts; nil is the system's.
	Resolver *net.Resolver
	// Metrics counts and times the calls; nil does not.
	Metrics *Metrics
	// Clocks records the time of the host; nil does not.
	Clocks *Clocks
	// ReadTimeout is DefaultReadTimeout if 0.
	ReadTimeout time.Duration
	// MutateTimeout is DefaultMutateTimeout if 0.
	MutateTimeout time.Duration
	// UserAgent is sent with each call, unless empty.
	UserAgent string
}

// Transport is a smile.Doer. It is safe for concurrent use.
type Transport struct {
	chain  http.RoundTripper
	base   *trustingBase
	budget *Budget
	host   *Host
}

// New returns a Transport. The proxy settings are those of the environment at this
// moment.
func New(config Config) *Transport {
	config = config.withDefaults()
	base := newTrustingBase(config, httpproxy.FromEnvironment())
	return &Transport{chain: newChain(config, base), base: base, budget: config.Budget, host: config.Host}
}

// Turn returns nil if a call of the context would be sent within about half a second, and keeps its place for the call. Otherwise
// it returns the error that the call would. It sends nothing. See Budget.Turn.
func (t *Transport) Turn(ctx context.Context) error {
	if err := t.host.Asked(); err != nil {
		return err
	}
	if err := t.budget.Turn(ctx); err != nil {
		return &smile.UnsentError{Cause: err}
	}
	return nil
}

// TurnIsNear reports whether a call of the context would be sent within about half a second. It keeps no place.
func (t *Transport) TurnIsNear(ctx context.Context) bool {
	return t.host.Asked() == nil && t.budget.TurnIsNear(ctx)
}

// Do sends a request, once. Redirects are not followed.
func (t *Transport) Do(request *http.Request) (*http.Response, error) {
	return t.chain.RoundTrip(request)
}

// CloseIdleConnections closes the connections that no call uses.
func (t *Transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

func (c Config) withDefaults() Config {
	if c.Budget == nil {
		c.Budget = NewBudget(0)
	}
	if c.Host == nil {
		c.Host = new(Host)
	}
	if c.Hosts == nil {
		c.Hosts = vendorHosts()
	}
	if c.Roots == nil {
		c.Roots = func() *x509.CertPool { return nil }
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = DefaultReadTimeout
	}
	if c.MutateTimeout == 0 {
		c.MutateTimeout = DefaultMutateTimeout
	}
	return c
}

// newBase returns a RoundTripper that uses the network. It uses only HTTP/1.1, with
// which the library sends a request again in fewer cases, and all of them are known.
func newBase(config Config, proxy *httpproxy.Config, roots *x509.CertPool) *http.Transport {
	var exempt []netip.Prefix
	if config.AllowExemptAddresses {
		exempt = config.Hosts.exempt
	}
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  proxyOf(proxy),
		DialContext:            dialer(config.Hosts, proxyAddresses(proxy), exempt, config.Resolver),
		Protocols:              http1,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		MaxIdleConnsPerHost:    maxIdleConns,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// step wraps the rest of the chain.
type step func(next http.RoundTripper) http.RoundTripper

// newChain puts the steps in their order. Steps that may refuse or wait come before
// the deadline starts. Steps that touch the body of the response come after.
func newChain(config Config, base http.RoundTripper) http.RoundTripper {
	steps := []step{
		guard(config.Hosts),
		oneAtATime(config.Host),
		slot(config.Budget, config.Metrics, config.Fence),
		countTimeouts(config.Host),
		deadline(config.ReadTimeout, config.MutateTimeout),
		config.Metrics.measure,
		authenticate(config.Credentials, config.UserAgent),
		capBody(MaxBodyBytes),
		payReplays(config.Budget),
		config.Clocks.observe,
		markUnsent,
	}
	chain := base
	for i := len(steps) - 1; i >= 0; i-- {
		chain = steps[i](chain)
	}
	return chain
}

// tripper is a function as an http.RoundTripper.
type tripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (t tripper) RoundTrip(request *http.Request) (*http.Response, error) { return t(request) }
