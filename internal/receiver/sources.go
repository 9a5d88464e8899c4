package receiver

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"
)

const (
	// unprovenRate is how many requests a second to unknown paths a source may make, and unprovenBurst how many at once.
	unprovenRate  = 50
	unprovenBurst = 100
	// maxSources is how many sources are remembered. Beyond that, the one that has sent nothing for longest is forgotten.
	maxSources = 4096
)

// sources limits the requests of each source. Only requests to unknown paths count: behind an ingress all requests may have the
// same source.
type sources struct {
	now func() time.Time

	mu       sync.Mutex // a source gets one limiter
	limiters *lru.Cache
}

func newSources(now func() time.Time) *sources {
	return &sources{now: now, limiters: lru.New(maxSources)}
}

// spend counts a request. It returns false if the source has sent too many.
func (s *sources) spend(remote string) bool {
	return s.limiter(sourceOf(remote)).AllowN(s.now(), 1)
}

func (s *sources) limiter(source netip.Prefix) *rate.Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.limiters.Get(source); ok {
		return found.(*rate.Limiter)
	}
	limiter := rate.NewLimiter(unprovenRate, unprovenBurst)
	s.limiters.Add(source, limiter)
	return limiter
}

// sourceOf is an IPv4 address, or the /64 of an IPv6 address: whoever has one of its addresses usually has all.
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
