// Package ratelimit limits the calls of each caller, or of each source of requests.
package ratelimit

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"
)

// MaxKeys is how many callers, or sources, are remembered. Beyond that, the one that has called nothing for longest is forgotten,
// so that many others do not reset the limit of one that calls.
const MaxKeys = 4096

// Limiter holds a token bucket for each key: a caller, or a source. It may be used concurrently.
type Limiter struct {
	rate  rate.Limit
	burst int
	now   func() time.Time

	mu      sync.Mutex // a key gets one bucket
	buckets *lru.Cache
}

// New returns a limiter of so many calls a second, and of so many at once, for each key.
func New(perSecond rate.Limit, burst int, now func() time.Time) *Limiter {
	return &Limiter{rate: perSecond, burst: burst, now: now, buckets: lru.New(MaxKeys)}
}

func (l *Limiter) bucket(key any) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if held, ok := l.buckets.Get(key); ok {
		return held.(*rate.Limiter)
	}
	made := rate.NewLimiter(l.rate, l.burst)
	l.buckets.Add(key, made)
	return made
}

// Take takes one call out of a bucket. If there is none left, it returns how long it takes until there will be.
func (l *Limiter) Take(key any) (wait time.Duration, ok bool) {
	now := l.now()
	reservation := l.bucket(key).ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// Empty reports whether Take would fail.
func (l *Limiter) Empty(key any) bool { return l.bucket(key).TokensAt(l.now()) < 1 }

// Len is how many keys are remembered.
func (l *Limiter) Len() int { return l.buckets.Len() }

// SourceOf is an IPv4 address, or the /64 of an IPv6 address, because one host usually has all addresses of a /64. The remote
// address is that of an http.Request. The prefix is not valid if the text is no address.
func SourceOf(remote string) netip.Prefix {
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
