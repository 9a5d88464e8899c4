package engine

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func objectNamed(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
}

// fill adds objects of a tenant.
func fill(w *workers, tenant Tenant, count int) {
	for i := range count {
		w.add(objectNamed(fmt.Sprintf("%s-%d", tenant.Connection, i)), 0, tenant)
	}
}

// startAll starts all objects that may run, and counts them by connection.
func startAll(w *workers) map[string]int {
	started := map[string]int{}
	for r := w.start(); r != nil; r = w.start() {
		started[r.tenant.Connection]++
	}
	return started
}

func TestSharesOfTheWorkers(t *testing.T) {
	a, b, sameHost := Tenant{"a", "one"}, Tenant{"b", "two"}, Tenant{"c", "one"}
	tests := []struct {
		name  string
		work  map[Tenant]int
		limit map[string]int
	}{
		{"alone", map[Tenant]int{a: 100}, map[string]int{"a": 12}},
		{"with another", map[Tenant]int{a: 100, b: 1}, map[string]int{"a": 4, "b": 1}},
		{"two of one host, alone", map[Tenant]int{a: 100, sameHost: 100}, map[string]int{"a": 4, "c": 4}},
		{"two of one host, and another", map[Tenant]int{a: 100, sameHost: 100, b: 100}, map[string]int{"a": 2, "c": 2, "b": 4}},
		{"without a connection", map[Tenant]int{{}: 100}, map[string]int{"": 16}},
		{"with some without a connection", map[Tenant]int{a: 100, {}: 100}, map[string]int{"a": 8, "": 8}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorkers(16)
			for tenant, count := range test.work {
				fill(w, tenant, count)
			}
			if got := startAll(w); fmt.Sprint(got) != fmt.Sprint(test.limit) {
				t.Errorf("got workers %v, want %v", got, test.limit)
			}
		})
	}
}

// TestANewcomerGetsAWorkerAtOnce comes while one connection holds all that it may alone.
func TestANewcomerGetsAWorkerAtOnce(t *testing.T) {
	for workers, alone := range map[int]int{16: 12, 8: 6, 4: 3} {
		w := newWorkers(workers)
		fill(w, Tenant{"crowd", "slow"}, 100)
		if got := startAll(w)["crowd"]; got != alone {
			t.Errorf("alone it holds %d of %d workers, want %d", got, workers, alone)
		}
		fill(w, Tenant{"other", "fast"}, 1)
		if r := w.start(); r == nil || r.tenant.Connection != "other" {
			t.Errorf("the new tenant waits: %v", r)
		}
	}
}

// TestTheOneWithFewestWorkersIsNext has five tenants share: the newcomer does not wait until the others have nothing left.
func TestTheOneWithFewestWorkersIsNext(t *testing.T) {
	w := newWorkers(16)
	for _, name := range []string{"a", "b", "c", "d"} {
		fill(w, Tenant{name, name}, 100)
	}
	startAll(w)
	fill(w, Tenant{"e", "e"}, 1)
	w.finish(objectNamed("a-0"))
	if r := w.start(); r == nil || r.tenant.Connection != "e" {
		t.Errorf("the free worker went to %v", r)
	}
}

func TestPriorities(t *testing.T) {
	w := newWorkers(1)
	tenant := Tenant{"a", "a"}
	for i, priority := range []int{-100, 0, -100} {
		w.add(objectNamed(fmt.Sprint(i)), priority, tenant)
	}
	w.add(objectNamed("2"), 0, tenant) // changed since
	var order []string
	for r := w.start(); r != nil; r = w.start() {
		order = append(order, r.Name)
		w.finish(r.Request)
	}
	if !slices.Equal(order, []string{"1", "2", "0"}) {
		t.Errorf("served %v", order)
	}
}

// TestWorkers adds, starts and finishes at random: shares are kept, no object runs twice at once, none is lost, each tenant's
// objects run in the order in which they came, and all run in the end.
func TestWorkers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.SampledFrom([]int{1, 4, 8, 16}).Draw(t, "workers")
		m := &workersModel{workers: newWorkers(count), count: count, due: map[string]bool{}, running: map[string]*request{}}
		t.Repeat(map[string]func(*rapid.T){
			"add":    m.add,
			"start":  func(t *rapid.T) { m.start(t) },
			"finish": m.finish,
			"":       m.check,
		})
		for rounds := 0; len(m.due)+len(m.running) > 0; rounds++ {
			for m.start(t) {
				m.check(t)
			}
			for name := range m.running {
				m.end(name)
			}
			if rounds > 10_000 {
				t.Fatalf("%d are still waiting", len(m.due))
			}
		}
	})
}

type workersModel struct {
	*workers
	count   int
	due     map[string]bool
	running map[string]*request
}

func (m *workersModel) tenantOf(name string) Tenant {
	return Tenant{Connection: name[:1], Host: map[string]string{"a": "one", "b": "one", "c": "two", "d": ""}[name[:1]]}
}

func (m *workersModel) add(t *rapid.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "connection") + fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "object"))
	m.workers.add(objectNamed(name), rapid.SampledFrom([]int{-100, 0}).Draw(t, "priority"), m.tenantOf(name))
	m.due[name] = true
}

func (m *workersModel) start(t *rapid.T) bool {
	byConnection, byHost := m.held()
	r := m.workers.start()
	if r == nil {
		return false
	}
	if m.running[r.Name] != nil || !m.due[r.Name] {
		t.Fatalf("%s was started: running %v, due %v", r.Name, m.running[r.Name] != nil, m.due[r.Name])
	}
	otherConnection, otherHost := m.othersHaveWork(r.tenant)
	if held := byConnection[r.tenant.Connection]; held >= share(m.count, otherConnection) {
		t.Fatalf("connection %s got worker %d of %d; others have work: %v", r.tenant.Connection, held+1, m.count, otherConnection)
	}
	if held := byHost[r.tenant.Host]; r.tenant.Host != "" && held >= share(m.count, otherHost) {
		t.Fatalf("host %s got worker %d of %d; others have work: %v", r.tenant.Host, held+1, m.count, otherHost)
	}
	delete(m.due, r.Name)
	m.running[r.Name] = r
	return true
}

func (m *workersModel) held() (byConnection, byHost map[string]int) {
	byConnection, byHost = map[string]int{}, map[string]int{}
	for _, r := range m.running {
		byConnection[r.tenant.Connection]++
		byHost[r.tenant.Host]++
	}
	return byConnection, byHost
}

// othersHaveWork reports whether anything is due, or runs, of another connection, and of another host.
func (m *workersModel) othersHaveWork(than Tenant) (connection, host bool) {
	names := slices.Concat(slices.Collect(maps.Keys(m.due)), slices.Collect(maps.Keys(m.running)))
	for _, name := range names {
		other := m.tenantOf(name)
		connection = connection || other.Connection != than.Connection
		host = host || other.Host != "" && other.Host != than.Host
	}
	return connection, host
}

func (m *workersModel) finish(t *rapid.T) {
	if len(m.running) == 0 {
		t.Skip("nothing runs")
	}
	m.end(slices.Sorted(maps.Keys(m.running))[0])
}

func (m *workersModel) end(name string) {
	m.workers.finish(objectNamed(name))
	delete(m.running, name)
}

func (m *workersModel) check(t *rapid.T) {
	if len(m.running) > m.count {
		t.Fatalf("%d run on %d workers", len(m.running), m.count)
	}
	if len(m.workers.running) != len(m.running) {
		t.Fatalf("%d are running, but the queue counts %d", len(m.running), len(m.workers.running))
	}
}
