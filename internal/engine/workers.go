package engine

import (
	"cmp"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Tenant is the connection and host that the reconcile of an object works for. An object without a connection has no tenant,
// and no limit applies to it.
type Tenant struct {
	// Connection that the object names, as namespace/name.
	Connection string
	// Host that the connection calls; "" when it is not known.
	Host string
}

// workers are the workers of a kind, shared among the tenants: while others have work, no connection and no host holds more
// than a quarter of the workers; alone, three quarters. The connection with the fewest workers goes first, then the one that
// has waited longest for its turn; within a connection the higher priority, then the older request.
type workers struct {
	count       int
	connections holders
	hosts       holders
	lines       map[Tenant]*line
	waiting     map[reconcile.Request]*request
	running     map[reconcile.Request]*request
	added       uint64
	started     uint64
}

// request is an object that waits for a worker, or has one.
type request struct {
	reconcile.Request
	tenant   Tenant
	priority int
	added    uint64
	// gone is true for an entry of a line that another one has replaced.
	gone bool
	// again is the priority at which a running object is to be reconciled again; nil when it is not.
	again *int
}

func newWorkers(count int) *workers {
	return &workers{
		count:       count,
		connections: newHolders(),
		hosts:       newHolders(),
		lines:       map[Tenant]*line{},
		waiting:     map[reconcile.Request]*request{},
		running:     map[reconcile.Request]*request{},
	}
}

// add queues an object. If it is already waiting, it waits at the higher of both priorities. If it is running, it is queued
// again when it has finished.
func (w *workers) add(object reconcile.Request, priority int, tenant Tenant) {
	if running := w.running[object]; running != nil {
		if running.again == nil || *running.again < priority {
			running.again = &priority
		}
		return
	}
	if former := w.waiting[object]; former != nil {
		if former.priority >= priority {
			return
		}
		former.gone = true
		w.tally(former, -1)
	}
	w.added++
	r := &request{Request: object, tenant: tenant, priority: priority, added: w.added}
	w.waiting[object] = r
	w.tally(r, 1)
	if w.lines[tenant] == nil {
		w.lines[tenant] = &line{}
	}
	w.lines[tenant].add(r)
}

// start takes the next object that may run; nil when none may.
func (w *workers) start() *request {
	if len(w.running) >= w.count {
		return nil
	}
	var best Tenant
	var first *line
	for tenant, l := range w.lines {
		if l.head() == nil {
			delete(w.lines, tenant)
			continue
		}
		if w.may(tenant) && (first == nil || w.before(tenant, l, best, first)) {
			best, first = tenant, l
		}
	}
	if first == nil {
		return nil
	}
	w.started++
	r := first.take(w.started)
	delete(w.waiting, r.Request)
	w.running[r.Request] = r
	w.connections.held[r.tenant.Connection]++
	w.hosts.held[r.tenant.Host]++
	return r
}

// finish records that an object has run.
func (w *workers) finish(object reconcile.Request) {
	r := w.running[object]
	if r == nil {
		return
	}
	delete(w.running, object)
	w.tally(r, -1)
	release(w.connections.held, r.tenant.Connection)
	release(w.hosts.held, r.tenant.Host)
	if r.again != nil {
		w.add(object, *r.again, r.tenant)
	}
}

// may reports whether a tenant may have one more worker.
func (w *workers) may(tenant Tenant) bool {
	return w.connections.may(tenant.Connection, w.count) && w.hosts.may(tenant.Host, w.count)
}

func (w *workers) before(a Tenant, ofA *line, b Tenant, ofB *line) bool {
	return cmp.Or(
		cmp.Compare(w.connections.held[a.Connection], w.connections.held[b.Connection]),
		cmp.Compare(ofA.served, ofB.served),
		cmp.Compare(ofA.head().added, ofB.head().added),
	) < 0
}

func (w *workers) tally(r *request, n int) {
	w.connections.count(r.tenant.Connection, n)
	w.hosts.count(r.tenant.Host, n)
}

// holders are the connections, or the hosts, that have work.
type holders struct {
	// work is how many objects of each wait or run, held how many run.
	work, held map[string]int
	total      int
}

func newHolders() holders { return holders{work: map[string]int{}, held: map[string]int{}} }

// may reports whether one more of so many workers may be held.
func (h *holders) may(name string, workers int) bool {
	return name == "" || h.held[name] < share(workers, h.total > h.work[name])
}

// share is how many of the workers of a kind one connection, or one host, may hold.
func share(workers int, othersHaveWork bool) int {
	if othersHaveWork {
		return max(1, workers/4)
	}
	return max(1, workers*3/4)
}

func (h *holders) count(name string, n int) {
	if name == "" {
		return
	}
	h.total += n
	if h.work[name] += n; h.work[name] == 0 {
		delete(h.work, name)
	}
}

// most is the largest number of workers that one of them holds.
func (h *holders) most() (most int) {
	for name, held := range h.held {
		if name != "" {
			most = max(most, held)
		}
	}
	return most
}

func release(held map[string]int, name string) {
	if held[name]--; held[name] == 0 {
		delete(held, name)
	}
}

// relief is how often the oldest request of a line goes first, whatever its priority, so that none waits forever.
const relief = 8

// line is the queue of one tenant.
type line struct {
	levels []level
	// served is the number of its last start among all starts; turns is how many starts it has had.
	served uint64
	turns  int
}

// level is the requests of one priority, oldest first.
type level struct {
	priority int
	requests []*request
}

func (l *line) add(r *request) {
	descending := func(l level, priority int) int { return cmp.Compare(priority, l.priority) }
	i, found := slices.BinarySearchFunc(l.levels, r.priority, descending)
	if !found {
		l.levels = slices.Insert(l.levels, i, level{priority: r.priority})
	}
	l.levels[i].requests = append(l.levels[i].requests, r)
}

// head is the request that goes next; nil when none waits.
func (l *line) head() *request {
	l.trim()
	if len(l.levels) == 0 {
		return nil
	}
	if (l.turns+1)%relief == 0 {
		older := func(a, b level) int { return cmp.Compare(a.requests[0].added, b.requests[0].added) }
		return slices.MinFunc(l.levels, older).requests[0]
	}
	return l.levels[0].requests[0]
}

func (l *line) take(served uint64) *request {
	r := l.head()
	r.gone = true
	l.turns++
	l.served = served
	return r
}

// trim removes replaced requests from the front.
func (l *line) trim() {
	for i := range l.levels {
		for len(l.levels[i].requests) > 0 && l.levels[i].requests[0].gone {
			l.levels[i].requests = l.levels[i].requests[1:]
		}
	}
	l.levels = slices.DeleteFunc(l.levels, func(l level) bool { return len(l.requests) == 0 })
}
