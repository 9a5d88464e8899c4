package mirror

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// Memory is what this process knows of the users of an API account. It makes no calls. A read replaces what is known only if it
// began later.
type Memory struct {
	timeline
	changes *notifier
	guard   *guard

	mu    sync.Mutex
	users users
	// singles is when the last reads of single accounts began.
	singles singleReads
	// unsent are users with a change that could not be sent.
	unsent map[string]bool
}

func newMemory(line timeline, changes *notifier, guard *guard) *Memory {
	return &Memory{
		timeline: line, changes: changes, guard: guard, users: newUsers(), singles: singleReads{}, unsent: map[string]bool{},
	}
}

// notify wakes the objects of these users.
func (m *Memory) notify(userIDs []string) { m.notifyOthers("", userIDs) }

// notifyOthers wakes the objects of these users, except the reader, which has found the change itself.
func (m *Memory) notifyOthers(reader types.UID, userIDs []string) {
	for _, id := range userIDs {
		if m.changes.send(Change{id, reader}) {
			continue
		}
		m.mu.Lock()
		m.unsent[id] = true
		m.mu.Unlock()
	}
}

// Add records a user that this process created or has seen. It reports whether the user carries a marker of ours; if not, nothing
// is recorded.
func (m *Memory) Add(remote smile.User) bool { return m.add(remote, m.now()) }

func (m *Memory) add(remote smile.User, seenAt moment) bool {
	marker, ok, err := identity.ParseMarker(remote.ExternalMetadata)
	if !ok || err != nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.users.get(remote.ID)
	r.createdAt, r.seenAt = secondOf(remote.CreatedAt), max(r.seenAt, seenAt.seconds())
	delete(m.users.doubted, remote.ID)
	m.users.mark(r, markOf(marker))
	return true
}

// addRead records what a call for a user has shown, and returns the marker of the user.
func (m *Memory) addRead(userID string, remote smile.User) Mark {
	ours := m.Add(remote)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !ours {
		m.users.addStranger(userID)
	}
	mark, _ := m.users.markerOf(userID)
	return mark
}

func (m *Memory) find(wanted identity.Marker) Found {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.users.find(markOf(wanted))
}

func (m *Memory) markerOf(userID string) (mark Mark, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.users.markerOf(userID)
}

// Proven reports whether it is known, without a call, which marker a remote user carries, if any.
func (m *Memory) Proven(userID string) bool {
	_, ok := m.markerOf(userID)
	return ok
}

// Doubted reports whether a user must be read because the last listing of all users, or a call, did not show it.
func (m *Memory) Doubted(userID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.users.doubted[userID]
}

// doubt wakes the objects of a user that a call has not shown.
func (m *Memory) doubt(userID string) {
	m.mu.Lock()
	m.users.doubt(m.users.get(userID))
	m.mu.Unlock()
	m.notify([]string{userID})
}

// listed concludes a listing of users that began at a moment. It returns the users whose objects must be woken: those with
// duplicates and, after a listing of all users, those that it should have shown and did not.
func (m *Memory) listed(began moment, all bool) (changed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed = m.users.duplicated()
	if !all {
		return changed
	}
	for id, r := range m.users.byID {
		if r.Mark == (Mark{}) || r.seenAt+uint32(smile.ListingLag.Seconds()) >= began.seconds() {
			continue
		}
		m.users.doubt(r)
		changed = append(changed, id)
	}
	return changed
}

// Duplicates is how many users besides the one named were created for an object, as far as listings have shown.
func (m *Memory) Duplicates(uid types.UID, userID string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	others := 0
	for r := m.users.owned[nameOf(uid)]; r != nil; r = r.nextOwned {
		if r.id != userID {
			others++
		}
	}
	return others
}

// readSince reports whether a read of what is asked for of a user began at notBefore or later.
func (m *Memory) readSince(userID string, notBefore time.Time, what func(*record) moment) bool {
	at := max(m.moment(notBefore), never+1)
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.users.byID[userID]
	return r != nil && what(r) >= at
}

func (m *Memory) trim(inUse population) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users.trim(inUse)
}

func (m *Memory) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.users.byID)
}
