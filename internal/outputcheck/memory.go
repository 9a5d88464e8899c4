package outputcheck

import (
	"hash/maphash"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/output"
)

// place is where an output is, and which object it belongs to. Another object may name the same Secret by mistake, and what
// that object reads says nothing about the owner.
type place struct {
	target    output.Target
	namespace string
	owner     types.UID
}

// memory holds, for each output, the version that a reconcile last read or wrote. It holds hashes only, because there are many
// outputs.
type memory struct {
	mu      sync.Mutex
	seed    maphash.Seed
	outputs map[uint64]lastSeen
	cycle   uint32
}

type lastSeen struct {
	version uint64
	cycle   uint32 // in which the output was last wanted or written
}

func newMemory() *memory { return &memory{seed: maphash.MakeSeed(), outputs: map[uint64]lastSeen{}} }

// versionOf is what changes with every write of an object; "" for one that does not exist.
func versionOf(obj client.Object) string {
	if obj == nil {
		return ""
	}
	return string(obj.GetUID()) + "/" + obj.GetResourceVersion()
}

// note records the version that a reconcile has read live, or written.
func (m *memory) note(at place, version string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outputs[maphash.Comparable(m.seed, at)] = lastSeen{maphash.String(m.seed, version), m.cycle}
}

// differs reports whether no reconcile has seen this version of an output.
func (m *memory) differs(at place, version string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := maphash.Comparable(m.seed, at)
	last, ok := m.outputs[key]
	if !ok {
		return true
	}
	m.outputs[key] = lastSeen{last.version, m.cycle}
	return last.version != maphash.String(m.seed, version)
}

// endCycle begins the next cycle, and forgets the outputs that were neither wanted nor written in the last one.
func (m *memory) endCycle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, last := range m.outputs {
		if last.cycle != m.cycle {
			delete(m.outputs, key)
		}
	}
	m.cycle++
}
