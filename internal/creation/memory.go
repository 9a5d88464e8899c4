package creation

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// memory is what this process knows of the attempts to create users, and which owner each subject is reserved for meanwhile. An
// attempt that it does not know was made by another process and has an unknown outcome.
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
	// call that this process has made for it; nil when another process has.
	call *call
	// unsent is true when this process knows that the attempt created nothing.
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
	known, ok := m.attempts[r.Name]
	ok = ok && known.uid == r.Marker.UID
	if r.Intent == nil {
		return known, ok && !known.unsent
	}
	if !ok || known.id != r.Intent.ID {
		known = attempt{uid: r.Marker.UID, id: r.Intent.ID, seen: now}
		m.attempts[r.Name] = known
	}
	return known, !known.unsent
}

// end records that no attempt of an owner is open any more, and returns the call that was; nil when this process made none.
func (m *memory) end(r *Request) *call {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.attempts[r.Name]
	delete(m.attempts, r.Name)
	if known.uid != r.Marker.UID {
		return nil
	}
	return known.call
}

func (m *memory) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.attempts, name)
}

// lastSent is when this process last may have sent a call that creates; zero when it never did.
func (m *memory) lastSent() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// reserve reserves a subject for an owner, unless another owner has it. It returns the owner that has it then, and since when.
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

// handOver gives an owner a reservation that another one had, unless that was renewed or passed on since it was read.
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

// elsewhere is when the last call for a subject ended that may have created a user, if it was made with another API account.
func (m *memory) elsewhere(of subject, account string) (at time.Time, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, known := m.outcomes.of[of]
	return last.at, known && last.account != account
}

// renew updates the time of a reservation, and reports whether the owner still had it.
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
