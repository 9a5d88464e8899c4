package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// The endpoints of the vendor, and all origins of the Open API in the vendor's own
// documents.
const (
	vendorSandbox    = "https://sandbox.smileapi.io/v1"
	vendorProduction = "https://open.smileapi.io/v1"
)

var vendorOrigins = []string{
	"https://sandbox.smileapi.io", "https://open-sandbox.smileapi.io", "https://open.smileapi.io",
}

const (
	remedyForm  = "write it as https://host/path or https://host:port/path"
	remedyAllow = "name its origin in the operator's flag --allowed-api-hosts"
)

// trust is why an origin is permitted.
type trust int

const (
	// refused origins are never called.
	refused trust = iota
	// listed origins are named by host. They need https and a public address.
	listed
	// writtenOut origins are named with their scheme. Plain http and a local address are
	// permitted.
	writtenOut
	// vendor origins are those of the vendor. They need https and a public address, too.
	vendor
)

// HostPolicy is the set of origins that credentials may be sent to. It does not change.
type HostPolicy struct {
	origins map[string]trust
	// local are the host:port that may resolve to a local address.
	local map[string]bool
	// vendor are the host:port of the vendor. exempt are the addresses, besides public ones, at which they may be.
	vendor  map[string]bool
	exempt  []netip.Prefix
	sandbox *url.URL
	// sandboxOrigin is empty if the sandbox is the vendor's.
	sandboxOrigin string
}

func vendorHosts() *HostPolicy {
	policy := &HostPolicy{
		origins: map[string]trust{}, local: map[string]bool{}, vendor: map[string]bool{}, sandbox: mustParse(vendorSandbox),
	}
	for _, origin := range vendorOrigins {
		policy.add(mustParse(origin), vendor)
		policy.vendor[HostPort(mustParse(origin))] = true
	}
	return policy
}

// NewHostPolicy permits the vendor's hosts, the sandbox endpoint (a URL; empty for the
// vendor's) and the allowed API hosts. Each of those is host, host:port, or an origin
// written out: https://host:port or http://host:port. An origin that is written out may
// use plain http and a loopback or private address. The exemptions are CIDRs of further
// addresses for the vendor's hosts, for a gateway or mesh, if a Config permits that.
func NewHostPolicy(sandboxEndpoint string, allowedAPIHosts []string, exemptions ...string) (*HostPolicy, error) {
	policy := vendorHosts()
	for i, entry := range exemptions {
		prefix, err := parseExemption(entry)
		if err != nil {
			return nil, fmt.Errorf("--vendor-address-exemptions: entry %d: %w", i+1, err)
		}
		policy.exempt = append(policy.exempt, prefix)
	}
	for i, entry := range allowedAPIHosts {
		if err := policy.allow(entry); err != nil {
			return nil, fmt.Errorf("--allowed-api-hosts: entry %d: %w", i+1, err)
		}
	}
	if sandboxEndpoint == "" {
		return policy, nil
	}
	endpoint, reason := parseEndpoint(sandboxEndpoint)
	if reason != "" {
		return nil, fmt.Errorf("--sandbox-endpoint: %s", reason)
	}
	policy.sandbox, policy.sandboxOrigin = endpoint, originOf(endpoint)
	policy.add(endpoint, writtenOut)
	return policy, nil
}

func (p *HostPolicy) allow(entry string) error {
	level, text := writtenOut, entry
	if !strings.Contains(entry, "://") {
		level, text = listed, "https://"+entry
	}
	origin, reason := parseEndpoint(text)
	switch {
	case reason != "":
		return errors.New(reason)
	case origin.Path != "" || strings.HasSuffix(entry, "/"):
		return errors.New("it has a path; only host, host:port, https://host:port and http://host:port are accepted")
	case level == listed && isIPLiteral(origin):
		return errors.New("an IP address must be written out, as https://address:port or http://address:port")
	}
	p.add(origin, level)
	return nil
}

// add never reduces the trust in an origin, and keeps the vendor's origins public.
func (p *HostPolicy) add(u *url.URL, level trust) {
	origin := originOf(u)
	p.origins[origin] = max(p.origins[origin], level)
	if p.origins[origin] == writtenOut {
		p.local[HostPort(u)] = true
	}
}

func isIPLiteral(u *url.URL) bool {
	_, err := netip.ParseAddr(u.Hostname())
	return err == nil
}

// Check reads the endpoint of a SmileConnection. It returns its normal form, or a
// *smile.HostError.
func (p *HostPolicy) Check(endpoint string) (*url.URL, error) {
	parsed, reason := parseEndpoint(endpoint)
	if reason != "" {
		return nil, hostError(reason, remedyForm)
	}
	if err := p.permit(parsed); err != nil {
		return nil, err
	}
	return parsed, nil
}

// permit is checked again for every request.
func (p *HostPolicy) permit(u *url.URL) error {
	if p.origins[originOf(u)] != refused {
		return nil
	}
	if u.Scheme != "https" {
		return hostError("plain http is not permitted for this host",
			"use https, or write its origin out, as http://host:port, in the operator's flag --allowed-api-hosts")
	}
	return hostError("this host is not permitted", remedyAllow)
}

func hostError(reason, remedy string) error {
	return &smile.HostError{Field: "endpoint", Reason: reason, Remedy: remedy}
}

// IsDefault reports whether an endpoint is on one of the vendor's hosts or on that of
// the sandbox endpoint. Then its Secret need not name the host.
func (p *HostPolicy) IsDefault(endpoint *url.URL) bool {
	origin := originOf(endpoint)
	return p.origins[origin] == vendor || origin == p.sandboxOrigin
}

// DefaultEndpoint returns the endpoint of a connection that names none. Only
// ModeProduction has the production endpoint.
func (p *HostPolicy) DefaultEndpoint(mode smile.Mode) *url.URL {
	if mode == smile.ModeProduction {
		return mustParse(vendorProduction)
	}
	endpoint := *p.sandbox
	return &endpoint
}

// mustParse is for URLs that are constants of this package or have been checked.
func mustParse(text string) *url.URL {
	parsed, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return parsed
}
