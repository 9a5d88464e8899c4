package webhook

import (
	"sync"
	"time"
)

// attempts is what this process knows of its tries to create webhooks, by the id of the pair. What it knows nothing of,
// another process tried, and the outcome is unknown.
type attempts struct {
	mu sync.Mutex
	// since is from when on the outcome is unknown; zero when the try certainly made nothing.
	since map[string]time.Time
}

func (a *attempts) set(pair string, since time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since == nil {
		a.since = map[string]time.Time{}
	}
	a.since[pair] = since
}

// unknown tells since when the outcome of a try is unknown to this process; zero when it made nothing.
func (a *attempts) unknown(pair string, now time.Time) time.Time {
	a.mu.Lock()
	since, ok := a.since[pair]
	a.mu.Unlock()
	if !ok {
		a.set(pair, now)
		return now
	}
	return since
}

func (a *attempts) forget(pair string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.since, pair)
}
