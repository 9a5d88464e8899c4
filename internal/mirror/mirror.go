// Package mirror is what this process knows of the remote side, per API account, however many connections use it.
// It answers reconcilers from memory where it can and calls where it must, and it wakes the objects whose remote
// side changed. It holds only users that are ours, and no personal data.
package mirror

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const changeBuffer = 16 << 10

// Set holds the mirrors of this process.
type Set struct {
	clock   clock.PassiveClock
	started time.Time
	life    context.Context

	mu      sync.Mutex
	mirrors map[string]*Mirror
	changes []chan event.TypedGenericEvent[string]
}

// NewSet makes an empty set. Listings run until life ends, whoever waits for them.
func NewSet(life context.Context, clk clock.PassiveClock) *Set {
	return &Set{clock: clk, started: clk.Now(), life: life, mirrors: map[string]*Mirror{}}
}

// Started is when this process began to watch. Objects' own statuses tell what was known before.
func (s *Set) Started() time.Time { return s.started }

// Changes tells the id of each remote user whose accounts or tasks changed. Every call opens another channel.
func (s *Set) Changes() <-chan event.TypedGenericEvent[string] {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes := make(chan event.TypedGenericEvent[string], changeBuffer)
	s.changes = append(s.changes, changes)
	return changes
}

// changed drops the news where a channel is full: it is found again at the next look.
func (s *Set) changed(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, changes := range s.changes {
		select {
		case changes <- event.TypedGenericEvent[string]{Object: userID}:
		default:
		}
	}
}

// For gives the mirror of the API account that a connection uses.
func (s *Set) For(conn *connection.Connection) *Mirror {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mirrors[conn.Account()]
	if m == nil {
		m = newMirror(s)
		s.mirrors[conn.Account()] = m
	}
	return m
}

// Mirror is what is known of one API account.
type Mirror struct {
	set *Set

	mu    sync.Mutex
	users map[string]User
	// strangers are users that objects name and that carry no marker. A marker can be neither added nor removed.
	strangers map[string]bool
	listed    bool
	walks     walks
	pending   map[identity.Digest]Reservation
	claims    map[string]Claim
	accounts  map[string]view[smile.Account]
	tasks     map[string]view[smile.Task]
	providers map[string]smile.Provider
	webhooks  webhooks
}

func newMirror(set *Set) *Mirror {
	return &Mirror{
		set:       set,
		users:     map[string]User{},
		strangers: map[string]bool{},
		pending:   map[identity.Digest]Reservation{},
		claims:    map[string]Claim{},
		accounts:  map[string]view[smile.Account]{},
		tasks:     map[string]view[smile.Task]{},
		providers: map[string]smile.Provider{},
	}
}

// User is a remote user that carries a marker of ours.
type User struct {
	ID        string
	CreatedAt time.Time
	Marker    identity.Marker
}

// Add records a user that this process created or saw. It tells whether the user is marked as ours.
func (m *Mirror) Add(remote smile.User) bool {
	marker, ok, err := identity.ParseMarker(remote.ExternalMetadata)
	if !ok || err != nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users[remote.ID] = User{ID: remote.ID, CreatedAt: remote.CreatedAt, Marker: marker}
	return true
}

// Found are the remote users of a person.
type Found struct {
	// Own were created for the object itself.
	Own []User
	// Same were created for the same subject, by another object.
	Same []User
}

// Find looks for the remote users of an object and its subject. It answers only from a listing of all users that
// this process completed, and makes that listing if there is none yet.
func (m *Mirror) Find(ctx context.Context, client *smile.Client, wanted identity.Marker) (Found, error) {
	m.mu.Lock()
	listed := m.listed
	m.mu.Unlock()
	if !listed {
		if err := m.walk(ctx, client, everything); err != nil {
			return Found{}, err
		}
	}
	return m.find(wanted), nil
}

// Settle looks for the users of an object after a creation whose outcome is unknown: in a listing, walked twice,
// that started at settled or later and reaches back two days before the attempt. What that does not show was not
// created.
func (m *Mirror) Settle(ctx context.Context, client *smile.Client, wanted identity.Marker, attempted, settled time.Time) (Found, error) {
	since := attempted.UTC().Truncate(24*time.Hour).AddDate(0, 0, -2)
	if err := m.walk(ctx, client, clearing(since, settled)); err != nil {
		return Found{}, err
	}
	return m.find(wanted), nil
}

func (m *Mirror) find(wanted identity.Marker) Found {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found Found
	for _, user := range m.users {
		switch {
		case user.Marker.UID == wanted.UID:
			found.Own = append(found.Own, user)
		case user.Marker.Digest == wanted.Digest:
			found.Same = append(found.Same, user)
		}
	}
	slices.SortFunc(found.Own, older)
	slices.SortFunc(found.Same, older)
	return found
}

func older(a, b User) int {
	if order := a.CreatedAt.Compare(b.CreatedAt); order != 0 {
		return order
	}
	if a.ID < b.ID {
		return -1
	}
	return 1
}

// Marker gives the marker of a remote user, from memory or by one call; ok is false when it carries none.
func (m *Mirror) Marker(ctx context.Context, client *smile.Client, userID string) (marker identity.Marker, ok bool, err error) {
	m.mu.Lock()
	known, ok := m.users[userID]
	stranger := m.strangers[userID]
	m.mu.Unlock()
	if ok || stranger {
		return known.Marker, ok, nil
	}
	remote, err := client.User(ctx, userID)
	if err != nil {
		return identity.Marker{}, false, err
	}
	m.Add(remote)
	marker, ok, err = identity.ParseMarker(remote.ExternalMetadata)
	if ok && err == nil {
		return marker, true, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.strangers[userID] = true
	return identity.Marker{}, false, nil
}

// Reservation keeps a subject for one object while it creates.
type Reservation struct {
	UID   types.UID
	Since time.Time
}

// Reserve takes a subject for an object, unless another holds it, and tells who holds it then, and since when.
func (m *Mirror) Reserve(digest identity.Digest, uid types.UID) Reservation {
	m.mu.Lock()
	defer m.mu.Unlock()
	if held, ok := m.pending[digest]; ok && held.UID != uid {
		return held
	}
	held := Reservation{UID: uid, Since: m.set.clock.Now()}
	m.pending[digest] = held
	return held
}

// Renew dates a reservation anew, and tells whether the object still had it.
func (m *Mirror) Renew(digest identity.Digest, uid types.UID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if held, ok := m.pending[digest]; !ok || held.UID != uid {
		return false
	}
	m.pending[digest] = Reservation{UID: uid, Since: m.set.clock.Now()}
	return true
}

// Free ends a reservation, once it is certain what became of the creation.
func (m *Mirror) Free(digest identity.Digest, uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pending[digest].UID == uid {
		delete(m.pending, digest)
	}
}

// Claim says which object has a remote user.
type Claim struct {
	Object types.NamespacedName
	UID    types.UID
}

// Claim takes a remote user for an object, unless another has it, and tells who has it then.
func (m *Mirror) Claim(userID string, by Claim) Claim {
	m.mu.Lock()
	defer m.mu.Unlock()
	if holder, ok := m.claims[userID]; ok && holder.UID != by.UID {
		return holder
	}
	m.claims[userID] = by
	return by
}

// Unclaim lets go of a remote user that a holder no longer has.
func (m *Mirror) Unclaim(userID string, by Claim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claims[userID] == by {
		delete(m.claims, userID)
	}
}
