// Package ring keeps the newest values within a number of bytes.
package ring

import "sync"

// Ring keeps values by key. When their sizes exceed the limit, the oldest are
// dropped. A ring without a limit keeps nothing. It may be used concurrently.
type Ring[K comparable, V any] struct {
	limit int

	mu     sync.Mutex
	used   int
	values map[K]sized[V]
	order  []K // oldest first; next is the first that may still be kept
	next   int
}

type sized[V any] struct {
	value V
	bytes int
	gone  bool // forgotten, but its place in order is left
}

// New makes a ring of so many bytes.
func New[K comparable, V any](limit int) *Ring[K, V] {
	return &Ring[K, V]{limit: limit, values: map[K]sized[V]{}}
}

// Keeps reports whether the ring keeps anything at all.
func (r *Ring[K, V]) Keeps() bool { return r.limit > 0 }

// Put keeps a value, in place of the one that has the key. A value that is
// larger than the ring is not kept.
func (r *Ring[K, V]) Put(key K, value V, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	former, known := r.values[key]
	r.used += bytes - former.bytes
	r.values[key] = sized[V]{value: value, bytes: bytes}
	if !known {
		r.order = append(r.order, key)
	}
	for r.used > r.limit && r.next < len(r.order) {
		r.drop(r.order[r.next])
		r.next++
	}
	if r.next > len(r.order)/2 {
		r.order = append([]K(nil), r.order[r.next:]...)
		r.next = 0
	}
}

// drop removes a value. The caller holds mu.
func (r *Ring[K, V]) drop(key K) {
	r.used -= r.values[key].bytes
	delete(r.values, key)
}

// Get returns a value, if it is still kept.
func (r *Ring[K, V]) Get(key K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.values[key]
	return found.value, ok && !found.gone
}

// Drop forgets a value.
func (r *Ring[K, V]) Drop(key K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if former, known := r.values[key]; known {
		r.used -= former.bytes
		r.values[key] = sized[V]{gone: true}
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
	r.used, r.values, r.order, r.next = 0, map[K]sized[V]{}, nil, 0
}
