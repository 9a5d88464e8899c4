// Package ring keeps the newest values within a number of bytes.
package ring

import (
	"container/list"
	"sync"
)

// Ring keeps values by key. When their sizes exceed the limit, the oldest are
// dropped. A ring without a limit keeps nothing. It may be used concurrently.
type Ring[K comparable, V any] struct {
	limit int

	mu    sync.Mutex
	used  int
	order *list.List // of entries, oldest first
	byKey map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key   K
	value V
	bytes int
}

// New makes a ring that keeps up to limit bytes.
func New[K comparable, V any](limit int) *Ring[K, V] {
	r := &Ring[K, V]{limit: limit}
	r.Reset()
	return r
}

// Keeps reports whether the ring keeps anything at all.
func (r *Ring[K, V]) Keeps() bool { return r.limit > 0 }

// Put keeps a value, in place of the one that has the key. A value that is
// larger than the ring is not kept.
func (r *Ring[K, V]) Put(key K, value V, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	added := &entry[K, V]{key, value, bytes}
	r.used += bytes
	if held, ok := r.byKey[key]; ok {
		r.used -= held.Value.(*entry[K, V]).bytes
		held.Value = added
	} else {
		r.byKey[key] = r.order.PushBack(added)
	}
	for r.used > r.limit && r.order.Len() > 0 {
		r.drop(r.order.Front())
	}
}

// drop removes an entry. The caller holds mu.
func (r *Ring[K, V]) drop(held *list.Element) {
	dropped := r.order.Remove(held).(*entry[K, V])
	r.used -= dropped.bytes
	delete(r.byKey, dropped.key)
}

// Get returns a value, if it is still kept.
func (r *Ring[K, V]) Get(key K) (value V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	held, ok := r.byKey[key]
	if !ok {
		return value, false
	}
	return held.Value.(*entry[K, V]).value, true
}

// Drop forgets a value.
func (r *Ring[K, V]) Drop(key K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if held, ok := r.byKey[key]; ok {
		r.drop(held)
	}
}

// Used is how many bytes the values have.
func (r *Ring[K, V]) Used() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}

// Reset forgets everything.
func (r *Ring[K, V]) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used, r.order, r.byKey = 0, list.New(), map[K]*list.Element{}
}
