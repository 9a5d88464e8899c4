package engine

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// away is an object whose reconcile ended early and runs again when its turn in the call budget is near.
type away struct {
	caller *smile.Caller
	// first and resumed of the reconcile that ended.
	first, resumed bool
}

// calling names the caller of a reconcile's calls. Without a queue no caller can be woken, and each call waits for its slot.
// The returned function ends the reconcile's use of its place.
func (r *Reconciler[T]) calling(ctx context.Context, run *Run[T]) (context.Context, func()) {
	queue := r.queue.Load()
	if queue == nil {
		return ctx, func() {}
	}
	name := nameOf(run)
	saved := r.memory.back(name)
	if saved.caller == nil {
		saved.caller = smile.NewCaller(func() { queue.wake(name) })
	}
	run.First, run.Resumed = run.First || saved.first, saved.resumed
	saved.caller.Begin()
	return smile.WithCaller(ctx, saved.caller), func() {
		if saved.caller.End(run.done) {
			r.memory.leave(name, away{caller: saved.caller, first: run.First, resumed: run.Resumed})
		}
	}
}

// leave remembers an object that is away.
func (m *memory) leave(name types.NamespacedName, gone away) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away == nil {
		m.away = map[types.NamespacedName]away{}
	}
	m.away[name] = gone
}

// back returns what is remembered about an object that was away, and forgets it.
func (m *memory) back(name types.NamespacedName) away {
	m.mu.Lock()
	defer m.mu.Unlock()
	saved := m.away[name]
	delete(m.away, name)
	return saved
}
