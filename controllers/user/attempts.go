package user

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// attempts is what this process knows of the attempts to create users. What it does not know of, an attempt that
// another process made, has an unknown outcome.
type attempts struct {
	mu   sync.Mutex
	byID map[types.NamespacedName]attempt
}

type attempt struct {
	id   string
	seen time.Time
	// unsent is true when this process knows that the attempt created nothing.
	unsent bool
}

// sending is told that a call is about to be made: from now on its outcome is unknown.
func (a *attempts) sending(name types.NamespacedName, id string, now time.Time) {
	a.put(name, attempt{id: id, seen: now})
}

// notCreated is told that an attempt certainly created nothing.
func (a *attempts) notCreated(name types.NamespacedName, id string) {
	a.put(name, attempt{id: id, unsent: true})
}

// seen tells whether the outcome of an attempt is unknown, and since when this process knows of it.
func (a *attempts) seen(name types.NamespacedName, id string, now time.Time) (since time.Time, unknown bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.byID[name]
	if !ok || known.id != id {
		known = attempt{id: id, seen: now}
		a.set(name, known)
	}
	return known.seen, !known.unsent
}

// settled is told that nothing is open about an object any more.
func (a *attempts) settled(name types.NamespacedName) { a.forget(name) }

func (a *attempts) forget(name types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byID, name)
}

func (a *attempts) put(name types.NamespacedName, known attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set(name, known)
}

func (a *attempts) set(name types.NamespacedName, known attempt) {
	if a.byID == nil {
		a.byID = map[types.NamespacedName]attempt{}
	}
	a.byID[name] = known
}
