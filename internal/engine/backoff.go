package engine

import (
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// shortestBackoff is how long an object waits after its first failure.
const shortestBackoff = time.Second

// Backoff returns how long an object that failed waits: a second more than it has been failing, up to the longest. So the delay
// doubles from 1 s. Unlike in client-go's limiters, failures of reconciles that something else requested meanwhile do not
// lengthen it: after an outage an object does not wait longer than the outage was.
func Backoff(longest time.Duration) workqueue.TypedRateLimiter[reconcile.Request] {
	return &backoff{longest: longest, failing: map[reconcile.Request]failing{}}
}

type backoff struct {
	longest time.Duration

	mu      sync.Mutex
	failing map[reconcile.Request]failing
}

// failing is an object that has not succeeded since its first failure.
type failing struct {
	since time.Time
	times int
}

// When implements workqueue.TypedRateLimiter.
func (b *backoff) When(object reconcile.Request) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	f, known := b.failing[object]
	if !known {
		f.since = time.Now()
	}
	f.times++
	b.failing[object] = f
	return min(time.Since(f.since)+shortestBackoff, b.longest)
}

// Forget implements workqueue.TypedRateLimiter.
func (b *backoff) Forget(object reconcile.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.failing, object)
}

// NumRequeues implements workqueue.TypedRateLimiter.
func (b *backoff) NumRequeues(object reconcile.Request) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failing[object].times
}
