package creation

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// memory is what this process remembers of attempts to create users, and the owner that each subject is reserved for meanwhile.
// An attempt that it does not remember was made by another process, and its outcome is unknown.
type memory struct {
	mu       sync.Mutex
	attempts map[types.NamespacedName]attempt
	reserved map[subject]reservation
	outcomes outcomes
	last     time.Time
}

type attempt struct {
	uid  types.UID
	id   string
	seen time.Time
	// call that this process has made for it; nil if another process has.
	call *call
	// unsent is true if this process knows that the attempt created nothing.
	unsent bool
}

// reservation keeps a subject for one owner while it creates, with whichever keys: two key pairs may be of one tenant.
type reservation struct {
	uid   types.UID
	since time.Time
}

func newMemory() memory {
	return memory{attempts: map[types.NamespacedName]attempt{}, reserved: map[subject]reservation{}, outcomes: newOutcomes()}
}

// sending records that a call is about to be made, or has just been made: from now on its outcome is unknown.
func (m *memory) sending(r *Request, c *call, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = now
	m.attempts[r.Name] = attempt{uid: r.Marker.UID, id: r.Intent.ID, seen: now, call: c}
}

// notCreated records that an attempt certainly created nothing.
func (m *memory) notCreated(r *Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempts[r.Name] = attempt{uid: r.Marker.UID, id: r.Intent.ID, unsent: true}
}

// open returns the attempt whose outcome is unknown, if there is one. An attempt that this process remembers is open even if the
// caller's record no longer shows it, as after a restore.
func (m *memory) open(r *Request, now time.Time) (open attempt, unknown bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, ok := m.attempts[r.Name]
	ok = ok && last.uid == r.Marker.UID
	if r.Intent == nil {
		return last, ok && !last.unsent
	}
	if !ok || last.id != r.Intent.ID {
		last = attempt{uid: r.Marker.UID, id: r.Intent.ID, seen: now}
		m.attempts[r.Name] = last
	}
	return last, !last.unsent
}

// end records that no attempt of an owner is open any more. It returns the call that was open; nil if this process made none.
func (m *memory) end(r *Request) *call {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.attempts[r.Name]
	delete(m.attempts, r.Name)
	if last.uid != r.Marker.UID {
		return nil
	}
	return last.call
}

func (m *memory) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.attempts, name)
}

// lastSent is when this process last may have sent a call that creates; zero if it never did.
func (m *memory) lastSent() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// reserve reserves a subject for an owner, unless it is reserved for another one. It returns the reservation that holds then.
func (m *memory) reserve(of subject, uid types.UID, now time.Time) reservation {
	m.mu.Lock()
	defer m.mu.Unlock()
	if held, ok := m.reserved[of]; ok && held.uid != uid {
		return held
	}
	held := reservation{uid, now}
	m.reserved[of] = held
	return held
}

// handOver gives an owner the reservation of another one. It fails if that was renewed or handed over since held was read.
func (m *memory) handOver(of subject, held reservation, uid types.UID, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if current, ok := m.reserved[of]; ok && current != held {
		return false
	}
	m.reserved[of] = reservation{uid, now}
	return true
}

// created records that a call for a subject has ended and has created a user, or may have.
func (m *memory) created(of subject, account string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outcomes.add(of, outcome{account, now})
}

// elsewhere is when the last call for a subject that may have created a user ended. ok is true if it was made with another
// API account.
func (m *memory) elsewhere(of subject, account string) (at time.Time, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, ok := m.outcomes.of[of]
	return last.at, ok && last.account != account
}

// renew updates the time of an owner's reservation. It reports whether the owner still had it.
func (m *memory) renew(of subject, uid types.UID, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if held, ok := m.reserved[of]; !ok || held.uid != uid {
		return false
	}
	m.reserved[of] = reservation{uid, now}
	return true
}

// free ends a reservation, once the outcome of the creation is certain.
func (m *memory) free(of subject, uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reserved[of].uid == uid {
		delete(m.reserved, of)
	}
}
