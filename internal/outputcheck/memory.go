package outputcheck

import (
	"hash/maphash"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/output"
)

// place is where an output is, and of which object: another one may name the same Secret by mistake, and what that one sees
// is not judged by the owner.
type place struct {
	target    output.Target
	namespace string
	owner     types.UID
}

// memory knows for each output the version that a reconcile last read or wrote. It holds two hashes for each, for there
// are many.
type memory struct {
	mu    sync.Mutex
	seed  maphash.Seed
	known map[uint64]known
	round uint32
}

type known struct {
	version uint64
	round   uint32 // in which the output was last wanted or written
}

func newMemory() *memory { return &memory{seed: maphash.MakeSeed(), known: map[uint64]known{}} }

// versionOf is what changes with every write of an object; "" for one that does not exist.
func versionOf(obj client.Object) string {
	if obj == nil {
		return ""
	}
	return string(obj.GetUID()) + "/" + obj.GetResourceVersion()
}

// note is told the version that a reconcile has read live, or written.
func (m *memory) note(at place, version string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[maphash.Comparable(m.seed, at)] = known{maphash.String(m.seed, version), m.round}
}

// differs reports whether a version is another one than a reconcile has seen, or none has seen any.
func (m *memory) differs(at place, version string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := maphash.Comparable(m.seed, at)
	last, ok := m.known[key]
	if !ok {
		return true
	}
	m.known[key] = known{last.version, m.round}
	return last.version != maphash.String(m.seed, version)
}

// turn begins another round and forgets the outputs that were neither wanted nor written in the last one.
func (m *memory) turn() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, last := range m.known {
		if last.round != m.round {
			delete(m.known, key)
		}
	}
	m.round++
}
