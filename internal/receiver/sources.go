package receiver

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// forgeries is how many requests a second a source may make that are not proven, and burst how many at once.
	forgeries = 50
	burst     = 100
	// maxSources is how many sources are remembered; beyond that all are forgotten at once.
	maxSources = 4096
)

// sources holds the bucket of each source. Only what is not proven costs anything, and whoever knows a path is never
// held up: behind an ingress all requests may have one source.
type sources struct {
	now func() time.Time

	mu      sync.Mutex
	buckets map[netip.Prefix]bucket
}

type bucket struct {
	level float64
	at    time.Time
}

// spend takes one request out of the bucket of a source; false when it is empty.
func (s *sources) spend(remote string) bool {
	source := sourceOf(remote)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	b, ok := s.buckets[source]
	if !ok {
		b = bucket{burst, now}
	}
	if s.buckets == nil || !ok && len(s.buckets) >= maxSources {
		s.buckets = map[netip.Prefix]bucket{}
	}
	b.level = min(burst, b.level+now.Sub(b.at).Seconds()*forgeries)
	b.at = now
	enough := b.level >= 1
	if enough {
		b.level--
	}
	s.buckets[source] = b
	return enough
}

// sourceOf is an IPv4 address, or the /64 that an IPv6 address is in: whoever has one of its addresses has all.
func sourceOf(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	address = address.Unmap().WithZone("")
	bits := 32
	if address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits)
	return prefix
}
