package user

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// attempts is what this process knows of the attempts to create users. What it does not know of, an attempt that
// another process made, has an unknown outcome.
type attempts struct {
	mu   sync.Mutex
	byID map[types.NamespacedName]attempt
	last time.Time
}

type attempt struct {
	uid  types.UID
	id   string
	seen time.Time
	// unsent is true when this process knows that the attempt created nothing.
	unsent bool
}

// sending is told that a call is about to be made, or has just been made: from now on its outcome is unknown.
func (a *attempts) sending(user *v1alpha1.SmileUser, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = now
	a.set(user, attempt{id: user.Status.CreateAttempt.ID, seen: now})
}

// notCreated is told that an attempt certainly created nothing.
func (a *attempts) notCreated(user *v1alpha1.SmileUser) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set(user, attempt{id: user.Status.CreateAttempt.ID, unsent: true})
}

// open tells whether the outcome of an attempt is unknown, and since when this process knows of it. An attempt that
// this process remembers is open also when the status does not tell of it any more, as after a restore.
func (a *attempts) open(user *v1alpha1.SmileUser, now time.Time) (since time.Time, unknown bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.byID[client.ObjectKeyFromObject(user)]
	ok = ok && known.uid == user.UID
	stored := user.Status.CreateAttempt
	if stored == nil {
		return known.seen, ok && !known.unsent
	}
	if !ok || known.id != stored.ID {
		known = attempt{id: stored.ID, seen: now}
		a.set(user, known)
	}
	return known.seen, !known.unsent
}

// settled is told that nothing is open about an object any more.
func (a *attempts) settled(user *v1alpha1.SmileUser) { a.forget(client.ObjectKeyFromObject(user)) }

func (a *attempts) forget(name types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byID, name)
}

// lastSent is when this process last may have sent a call that creates; zero when it never did.
func (a *attempts) lastSent() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

func (a *attempts) set(user *v1alpha1.SmileUser, known attempt) {
	if a.byID == nil {
		a.byID = map[types.NamespacedName]attempt{}
	}
	known.uid = user.UID
	a.byID[client.ObjectKeyFromObject(user)] = known
}
