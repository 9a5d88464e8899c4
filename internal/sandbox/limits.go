package sandbox

import (
	"sync"
	"time"
)

const (
	window = time.Second
	// maxSources bounds the addresses that the limiter remembers.
	maxSources = 4096
)

// limiter refuses what would be one call too many within any second of an
// address. Refused calls do not count. It measures on the wall clock.
type limiter struct {
	perSecond int
	wall      func() time.Time

	mu      sync.Mutex
	sources map[string]*accepted
}

// accepted is a ring of the last calls of an address; next is the oldest one.
type accepted struct {
	at   []time.Time
	next int
}

func newLimiter(perSecond int, wall func() time.Time) *limiter {
	return &limiter{perSecond: perSecond, wall: wall, sources: map[string]*accepted{}}
}

func (l *limiter) allow(source string) bool {
	if l.perSecond == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.wall()
	calls, known := l.sources[source]
	if !known {
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

func (l *limiter) forgetIdle(now time.Time) {
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

func (l *limiter) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sources = map[string]*accepted{}
}

// meter finds the largest number of calls within any second, on the wall clock.
type meter struct {
	wall func() time.Time

	mu     sync.Mutex
	recent []time.Time
	peak   int
}

func (m *meter) observe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.wall()
	m.recent = append(m.recent, now)
	for now.Sub(m.recent[0]) >= window {
		m.recent = m.recent[1:]
	}
	m.peak = max(m.peak, len(m.recent))
}

func (m *meter) largest() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peak
}

func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent, m.peak = nil, 0
}
