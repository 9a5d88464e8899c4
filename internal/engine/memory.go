package engine

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// staleRetry is when to reconcile an object again if the cache does not show the operator's last write yet.
	staleRetry = 50 * time.Millisecond
	// staleLimit is how long to wait for that.
	staleLimit = 5 * time.Second
)

// memory is what a reconciler remembers about its objects from one reconcile to the next. Losing it costs only time.
type memory struct {
	mu       sync.Mutex
	failures map[types.NamespacedName]int
	writes   map[types.NamespacedName]write
	statuses map[types.NamespacedName]statuses
	away     map[types.NamespacedName]away
}

// statuses are the hashes of the statuses of an object that this process has written or read. A status with any other hash was
// changed by somebody else.
type statuses struct {
	// last that this process read in a reconcile or wrote.
	last uint64
	// pending is the hash of a write that is under way or has failed; 0 if there is none.
	pending uint64
}

type write struct {
	version string
	at      time.Time
}

// failed counts one more failure in a row, and returns how many there are.
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

// met records an object at the start of a reconcile, and reports whether this process reconciles it for the first time.
// Hashes that are remembered stay, because a changed status may be the reason for the reconcile.
func (m *memory) met(obj Object) (first bool) {
	m.mu.Lock()
	_, ok := m.statuses[client.ObjectKeyFromObject(obj)]
	m.mu.Unlock()
	if !ok {
		m.settled(obj)
	}
	return !ok
}

// settled records an object whose stored status is the outcome of a reconcile.
func (m *memory) settled(obj Object) {
	m.remember(obj, statuses{last: statusHash(obj)})
}

func (m *memory) remember(obj client.Object, hashes statuses) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.statuses == nil {
		m.statuses = map[types.NamespacedName]statuses{}
	}
	m.statuses[client.ObjectKeyFromObject(obj)] = hashes
}

// writing records an object whose status is about to be written, because the watch may show the write before the response does.
// It returns the hash of what is to be stored.
func (m *memory) writing(obj Object) uint64 {
	hash := statusHash(obj)
	m.mu.Lock()
	last := m.statuses[client.ObjectKeyFromObject(obj)].last
	m.mu.Unlock()
	m.remember(obj, statuses{last: last, pending: hash})
	return hash
}

// wrote records the object as it was after our last write, and the hash of what was to be stored. The stored status may differ
// from that if somebody else wrote in between.
func (m *memory) wrote(obj client.Object, now time.Time, hash uint64) {
	m.remember(obj, statuses{last: hash})
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writes == nil {
		m.writes = map[types.NamespacedName]write{}
	}
	m.writes[client.ObjectKeyFromObject(obj)] = write{obj.GetResourceVersion(), now}
}

// altered reports whether the status of an object, as the watch shows it, was written by somebody else.
func (m *memory) altered(obj Object, now time.Time) bool {
	hash := statusHash(obj)
	m.mu.Lock()
	defer m.mu.Unlock()
	hashes, ok := m.statuses[client.ObjectKeyFromObject(obj)]
	return ok && hash != hashes.last && hash != hashes.pending && !m.precedes(obj, now)
}

// precedes reports whether an object is older than our last write. Versions are compared for a limited time only, because a
// cluster that was restored from a backup may reuse lower versions.
func (m *memory) precedes(obj client.Object, now time.Time) bool {
	last, ok := m.writes[client.ObjectKeyFromObject(obj)]
	if !ok {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(obj.GetResourceVersion(), last.version)
	return err == nil && order < 0 && now.Sub(last.at) < staleLimit
}

// newerThan reports whether our last write is newer than the object, which then comes from a stale cache. A reconcile of it would
// repeat what was done.
func (m *memory) newerThan(obj client.Object, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.precedes(obj, now) {
		return true
	}
	delete(m.writes, client.ObjectKeyFromObject(obj))
	return false
}

func (m *memory) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.failures, name)
	delete(m.writes, name)
	delete(m.statuses, name)
}
