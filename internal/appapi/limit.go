package appapi

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"
)

const (
	// maxLimited is how many callers, or sources, are remembered; the one that called longest ago is forgotten first.
	maxLimited = 4096
	// failuresPerSecond is how many unauthenticated requests a source may make in a second, and failureBurst how many at once:
	// each may cost a token review.
	failuresPerSecond, failureBurst = 10, 100
)

// limiter holds a token bucket for each caller, or for each source.
type limiter struct {
	rate  rate.Limit
	burst int
	now   func() time.Time

	mu      sync.Mutex
	buckets *lru.Cache
}

func newLimiter(perSecond rate.Limit, burst int, now func() time.Time) *limiter {
	return &limiter{rate: perSecond, burst: burst, now: now, buckets: lru.New(maxLimited)}
}

func (l *limiter) bucket(key any) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if held, ok := l.buckets.Get(key); ok {
		return held.(*rate.Limiter)
	}
	made := rate.NewLimiter(l.rate, l.burst)
	l.buckets.Add(key, made)
	return made
}

// take takes one call out of a bucket. If there is none left, it returns when there will be.
func (l *limiter) take(key any) (wait time.Duration, ok bool) {
	now := l.now()
	reservation := l.bucket(key).ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// empty reports whether take would fail.
func (l *limiter) empty(key any) bool { return l.bucket(key).TokensAt(l.now()) < 1 }

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
