package engine

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TenantOf returns the tenant of an object, from the cache.
type TenantOf func(ctx context.Context, object types.NamespacedName) Tenant

// tenantPatience limits how long the cache is read for the tenant of an object. Until the cache is synced, an object has none.
const tenantPatience = 5 * time.Second

type limiter = workqueue.TypedRateLimiter[reconcile.Request]

// Options returns the options of the kind's controller: the number of workers, which the tenants share, and the longest backoff
// of an object that keeps failing.
func (r *Reconciler[T]) Options(workers int, longest time.Duration, of TenantOf) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: workers,
		RateLimiter:             Backoff(longest),
		NewQueue: func(name string, limits limiter) workqueue.TypedRateLimitingInterface[reconcile.Request] {
			q := newQueue(name, r.Kind.Name, limits, workers, of)
			r.queue.Store(q)
			return q
		},
	}
}

// queue is a priority queue whose workers are shared among tenants. Delays and deduplication are those of controller-runtime's
// queue. While a worker is idle, requests that are due are taken out of it and sorted by tenant.
type queue struct {
	priorityqueue.PriorityQueue[reconcile.Request]
	kind string
	due  *dueTimes
	of   TenantOf
	life context.Context
	end  context.CancelFunc

	mu      sync.Mutex
	changed *sync.Cond
	workers *workers
	idle    int
}

func newQueue(name, kind string, limits limiter, workers int, of TenantOf) *queue {
	life, end := context.WithCancel(context.Background())
	due := newDueTimes()
	q := &queue{
		PriorityQueue: priorityqueue.New(name, func(o *priorityqueue.Opts[reconcile.Request]) {
			o.RateLimiter = planningBackoff{limits, due}
		}),
		kind: kind, due: due, of: of, life: life, end: end, workers: newWorkers(workers),
	}
	q.changed = sync.NewCond(&q.mu)
	overdueObjects.watch(q)
	go q.sort()
	return q
}

// sort takes due requests out of the inner queue while a worker is idle, until the queue is shut down.
func (q *queue) sort() {
	for q.wanted() {
		object, priority, shutdown := q.PriorityQueue.GetWithPriority()
		if shutdown {
			return
		}
		q.due.take(object)
		q.PriorityQueue.Done(object)
		tenant := q.tenant(object.NamespacedName)
		q.mu.Lock()
		q.workers.add(object, priority, tenant)
		q.report()
		q.changed.Broadcast()
		q.mu.Unlock()
	}
}

// wanted waits for an idle worker; false means that the queue was shut down.
func (q *queue) wanted() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.idle == 0 && q.life.Err() == nil {
		q.changed.Wait()
	}
	return q.life.Err() == nil
}

func (q *queue) tenant(object types.NamespacedName) Tenant {
	ctx, cancel := context.WithTimeout(q.life, tenantPatience)
	defer cancel()
	return q.of(ctx, object)
}

// GetWithPriority waits for an object that may be reconciled now.
func (q *queue) GetWithPriority() (object reconcile.Request, priority int, shutdown bool) {
	q.due.serve()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.idle++
	defer func() { q.idle-- }()
	q.changed.Broadcast()
	for q.life.Err() == nil {
		if r := q.workers.start(); r != nil {
			q.report()
			return r.Request, r.priority, false
		}
		q.changed.Wait()
	}
	return object, 0, true
}

// Get is GetWithPriority without the priority.
func (q *queue) Get() (object reconcile.Request, shutdown bool) {
	object, _, shutdown = q.GetWithPriority()
	return object, shutdown
}

// Done ends the work on an object.
func (q *queue) Done(object reconcile.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.workers.finish(object)
	q.due.done(object, q.workers.waiting[object] != nil)
	q.report()
	q.changed.Broadcast()
}

// AddWithOpts queues objects.
func (q *queue) AddWithOpts(options priorityqueue.AddOpts, objects ...reconcile.Request) {
	if !options.RateLimited { // else planningBackoff plans them
		for _, object := range objects {
			q.due.plan(object, options.After)
		}
	}
	q.PriorityQueue.AddWithOpts(options, objects...)
}

// Add queues an object that is due now.
func (q *queue) Add(object reconcile.Request) { q.AddWithOpts(priorityqueue.AddOpts{}, object) }

// AddAfter queues an object that is due after a delay.
func (q *queue) AddAfter(object reconcile.Request, after time.Duration) {
	q.AddWithOpts(priorityqueue.AddOpts{After: after}, object)
}

// AddRateLimited queues an object that has failed.
func (q *queue) AddRateLimited(object reconcile.Request) {
	q.AddWithOpts(priorityqueue.AddOpts{RateLimited: true}, object)
}

// Len is how many objects wait for a worker.
func (q *queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.PriorityQueue.Len() + len(q.workers.waiting)
}

// ShutDown ends the queue, and the workers that wait for an object.
func (q *queue) ShutDown() {
	if q.life.Err() != nil {
		return
	}
	overdueObjects.forget(q)
	q.end()
	q.PriorityQueue.ShutDown()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.changed.Broadcast()
}

// ShutDownWithDrain does the same.
func (q *queue) ShutDownWithDrain() { q.ShutDown() }

// wake queues an object to be reconciled as soon as its tenant has a worker.
func (q *queue) wake(object types.NamespacedName) {
	q.AddWithOpts(priorityqueue.AddOpts{}, reconcile.Request{NamespacedName: object})
}

func (q *queue) report() {
	waitingForWorker.WithLabelValues(q.kind).Set(float64(len(q.workers.waiting)))
	workersHeld.WithLabelValues(q.kind, "connection").Set(float64(q.workers.connections.most()))
	workersHeld.WithLabelValues(q.kind, "host").Set(float64(q.workers.hosts.most()))
}
