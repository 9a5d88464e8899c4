package traffic

import (
	"sync"
	"time"
)

const (
	window = time.Second
	// maxSources bounds the addresses that the limiter remembers.
	maxSources = 4096
)

// Limiter refuses calls beyond a number per address within any second. Refused
// calls do not count. It uses the wall clock.
type Limiter struct {
	perSecond int
	wall      func() time.Time

	mu      sync.Mutex
	sources map[string]*accepted
}

// accepted is a ring buffer of the last calls of an address; next is the oldest.
type accepted struct {
	at   []time.Time
	next int
}

// NewLimiter makes a limiter; perSecond 0 means no limit.
func NewLimiter(perSecond int, wall func() time.Time) *Limiter {
	return &Limiter{perSecond: perSecond, wall: wall, sources: map[string]*accepted{}}
}

// Allow reports whether a call from the address is accepted.
func (l *Limiter) Allow(source string) bool {
	if l.perSecond == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.wall()
	calls, ok := l.sources[source]
	if !ok {
		l.forgetIdle(now)
		calls = &accepted{at: make([]time.Time, l.perSecond)}
		l.sources[source] = calls
	}
	if oldest := calls.at[calls.next]; !oldest.IsZero() && now.Sub(oldest) < window {
		return false
	}
	calls.at[calls.next] = now
	calls.next = (calls.next + 1) % l.perSecond
	return true
}

func (l *Limiter) forgetIdle(now time.Time) {
	if len(l.sources) < maxSources {
		return
	}
	for source, calls := range l.sources {
		newest := calls.at[(calls.next+l.perSecond-1)%l.perSecond]
		if now.Sub(newest) >= window {
			delete(l.sources, source)
		}
	}
}

// Reset forgets all calls.
func (l *Limiter) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sources = map[string]*accepted{}
}

// Meter finds the largest number of calls within any second of the wall clock.
type Meter struct {
	wall func() time.Time

	mu     sync.Mutex
	recent []time.Time
	peak   int
}

// NewMeter makes a meter.
func NewMeter(wall func() time.Time) *Meter { return &Meter{wall: wall} }

// Observe counts a call.
func (m *Meter) Observe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.wall()
	m.recent = append(m.recent, now)
	for now.Sub(m.recent[0]) >= window {
		m.recent = m.recent[1:]
	}
	m.peak = max(m.peak, len(m.recent))
}

// Largest returns the largest number of calls within a second since the last
// Reset.
func (m *Meter) Largest() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peak
}

// Reset forgets all calls.
func (m *Meter) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent, m.peak = nil, 0
}
