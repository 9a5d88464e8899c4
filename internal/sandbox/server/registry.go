package server

import (
	"sync/atomic"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
)

// registration is what all objects that a tenant can delete have in common. A
// deleted one keeps its place in the collection, so that cursors stay valid.
type registration struct {
	id        string
	ordinal   int
	createdAt time.Time
	deleted   bool        // guarded by the tenant's lock
	gone      atomic.Bool // the same, for readers without the lock
}

func (r *registration) entry() *registration { return r }

func (r *registration) markDeleted() {
	r.deleted = true
	r.gone.Store(true)
}

// registered is an object that a tenant can delete.
type registered interface {
	object
	entry() *registration
	wire(*quirks.Behavior) any
}

// registry returns a tenant's objects of a kind. Its methods handle the
// operations that all such kinds have.
type registry[T registered] func(*tenant) *collection[T]

// add registers an object with a new id. The caller holds mu.
func (of registry[T]) add(c *call, prefix string, made T) T {
	all := of(c.tenant)
	entry := made.entry()
	entry.id, entry.ordinal, entry.createdAt = c.box.ids.Next(prefix), len(all.order), c.now
	all.add(entry.id, made)
	c.tenant.commit(made)
	c.committed = true
	return made
}

// find returns the object with that id unless it was deleted. The caller holds
// mu.
func (of registry[T]) find(t *tenant, id string) (T, bool) {
	found, ok := of(t).byID[id]
	return found, ok && !found.entry().deleted
}

func (of registry[T]) list(c *call) reply {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	return paginate(c, of(c.tenant).after(c.paging.from),
		func(one T) bool { return !one.entry().deleted }, func(one T) any { return one.wire(&c.box.behavior) })
}

func (of registry[T]) get(c *call) reply {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	one, found := of.find(c.tenant, c.id())
	if !found {
		return missing()
	}
	return ok(one.wire(&c.box.behavior))
}

func (of registry[T]) delete(c *call) reply {
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	one, found := of.find(c.tenant, c.id())
	if !found {
		_, ok := of(c.tenant).byID[c.id()]
		return c.deletedAlready(ok)
	}
	one.entry().markDeleted()
	c.tenant.commit(one)
	c.committed = true
	return done()
}

// deletedAlready is the reply to the deletion of an object that does not exist,
// or that was deleted before. A quirk decides between them.
func (c *call) deletedAlready(ok bool) reply {
	if ok && c.box.behavior.RepeatDelete == "200" {
		return done()
	}
	return missing()
}
