package engine

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

var overdueDesc = prometheus.NewDesc("smile_operator_overdue_seconds",
	"How long the object that has been due for the longest time has waited for its reconcile to end. Absent in a process that does not lead.",
	[]string{"kind"}, nil)

// dueTimes records when the objects of a queue are due, until their reconcile has ended. So it notices workers that hang, and a
// queue that is not served.
type dueTimes struct {
	mu sync.Mutex
	// served is when the first worker asked for an object; zero before, as in a process that does not lead.
	served time.Time
	// planned are due at a time, and are in the queue.
	planned times
	// taken were due at a time, and wait for a worker or have one.
	taken times
	// again became due while they were taken.
	again times
}

type times map[reconcile.Request]time.Time

func newDueTimes() *dueTimes { return &dueTimes{planned: times{}, taken: times{}, again: times{}} }

// add keeps the earliest time of an object.
func (t times) add(object reconcile.Request, at time.Time) {
	if before, ok := t[object]; !ok || at.Before(before) {
		t[object] = at
	}
}

// plan records that an object is due after a delay.
func (d *dueTimes) plan(object reconcile.Request, after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.planned.add(object, time.Now().Add(max(after, 0)))
}

// take records that an object has left the queue because it is due.
func (d *dueTimes) take(object reconcile.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.planned[object]
	if !ok {
		at = time.Now()
	}
	delete(d.planned, object)
	if _, busy := d.taken[object]; busy {
		d.again.add(object, at)
		return
	}
	d.taken[object] = at
}

// done records that the reconcile of an object has ended. again is whether the object waits for a worker again.
func (d *dueTimes) done(object reconcile.Request, again bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.taken, object)
	if again {
		d.taken[object] = d.again[object]
	}
	delete(d.again, object)
}

func (d *dueTimes) serve() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.served.IsZero() {
		d.served = time.Now()
	}
}

// overdue is how long the object that has been due for the longest time has waited, since workers serve the queue. ok is false if
// none do.
func (d *dueTimes) overdue() (longest time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, dues := range []times{d.planned, d.taken} {
		for _, at := range dues {
			longest = max(longest, min(now.Sub(at), now.Sub(d.served)))
		}
	}
	return longest, !d.served.IsZero()
}

// planningBackoff records when objects that failed are due.
type planningBackoff struct {
	limiter
	due *dueTimes
}

// When implements workqueue.TypedRateLimiter.
func (b planningBackoff) When(object reconcile.Request) time.Duration {
	after := b.limiter.When(object)
	b.due.plan(object, after)
	return after
}

var _ workqueue.TypedRateLimiter[reconcile.Request] = planningBackoff{}

// watchdog collects how overdue the objects of all queues are.
type watchdog struct {
	mu     sync.Mutex
	queues map[*queue]struct{}
}

var overdueObjects = &watchdog{queues: map[*queue]struct{}{}}

func (w *watchdog) watch(q *queue) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queues[q] = struct{}{}
}

func (w *watchdog) forget(q *queue) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.queues, q)
}

// Describe implements prometheus.Collector.
func (w *watchdog) Describe(descs chan<- *prometheus.Desc) { descs <- overdueDesc }

// Collect implements prometheus.Collector.
func (w *watchdog) Collect(metrics chan<- prometheus.Metric) {
	w.mu.Lock()
	defer w.mu.Unlock()
	longest := map[string]time.Duration{}
	for q := range w.queues {
		if overdue, ok := q.due.overdue(); ok {
			longest[q.kind] = max(longest[q.kind], overdue)
		}
	}
	for kind, overdue := range longest {
		metrics <- prometheus.MustNewConstMetric(overdueDesc, prometheus.GaugeValue, overdue.Seconds(), kind)
	}
}
