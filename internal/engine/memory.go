package engine

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// staleRetry is when to look again at an object of which the cache does not show our last write yet.
	staleRetry = 50 * time.Millisecond
	// staleLimit is how long that is waited for. It ends by itself because a cluster restored from a backup counts
	// its versions from where it was.
	staleLimit = 5 * time.Second
)

// memory is what a reconciler remembers of its objects from pass to pass. Losing it costs nothing but time.
type memory struct {
	mu       sync.Mutex
	failures map[types.NamespacedName]int
	writes   map[types.NamespacedName]write
}

type write struct {
	version string
	at      time.Time
}

// failed counts one more failure in a row, and tells how many there are.
func (m *memory) failed(name types.NamespacedName) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failures == nil {
		m.failures = map[types.NamespacedName]int{}
	}
	m.failures[name]++
	return m.failures[name]
}

func (m *memory) succeeded(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.failures, name)
}

// wrote is told the object as it was after our last write.
func (m *memory) wrote(obj client.Object, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writes == nil {
		m.writes = map[types.NamespacedName]write{}
	}
	m.writes[client.ObjectKeyFromObject(obj)] = write{obj.GetResourceVersion(), now}
}

// newerThan tells whether our last write is not in the object yet, which then comes from a cache that lags behind:
// a pass over it would do again what has been done.
func (m *memory) newerThan(obj client.Object, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := client.ObjectKeyFromObject(obj)
	last, ok := m.writes[name]
	if !ok {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(obj.GetResourceVersion(), last.version)
	if err == nil && order < 0 && now.Sub(last.at) < staleLimit {
		return true
	}
	delete(m.writes, name)
	return false
}

func (m *memory) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.failures, name)
	delete(m.writes, name)
}
