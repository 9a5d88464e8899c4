// Package mirror is what this process knows of the remote side, per API account, however many connections use it:
// which users are ours, the accounts that they have linked, and when data of those was last gathered.
//
// It is filled by listings on a wall-clock grid (rounds.go says when, survey.go how) and by reads of single users (views.go). It answers
// reconcilers from memory where it can and calls where it must, and it wakes the objects whose remote side changed.
// It holds only users that are ours or that an object names, and no personal data.
package mirror

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const changeBuffer = 16 << 10

// Connections gives connections that are ready, and the API accounts of those that were, as connection.Registry does.
type Connections interface {
	For(ctx context.Context, namespace string, ref v1alpha1.ConnectionReference) (*connection.Connection, error)
	KnownAccount(namespace string, ref v1alpha1.ConnectionReference) (account string, known bool)
}

// Config is what a set needs.
type Config struct {
	// Clock of everything.
	Clock clock.PassiveClock
	// Connections to list with.
	Connections Connections
	// Objects reads SmileUsers and SmileAccountSyncs, from the cache.
	Objects client.Reader
}

// Set holds the mirrors of this process.
type Set struct {
	Config
	started time.Time
	life    context.Context

	mu      sync.Mutex
	mirrors map[string]*shared
	changes []chan event.TypedGenericEvent[Change]
	hints   map[types.NamespacedName]hints
}

// NewSet makes an empty set. Listings run until life ends, whoever waits for them.
func NewSet(life context.Context, config Config) *Set {
	return &Set{
		Config: config, started: config.Clock.Now(), life: life,
		mirrors: map[string]*shared{}, hints: map[types.NamespacedName]hints{},
	}
}

// Started is when this process began to watch. Objects' own statuses tell what was known before.
func (s *Set) Started() time.Time { return s.started }

// moment is a point in time as the mirror keeps it: nanoseconds since shortly before the process began to watch.
type moment int64

// never is before everything that this process has seen.
const never moment = 0

func (s *Set) moment(at time.Time) moment { return max(never, moment(at.Sub(s.started)+1)) }

func (s *Set) now() moment { return moment(s.Clock.Since(s.started) + 1) }

// time is zero for never.
func (s *Set) time(at moment) time.Time {
	if at == never {
		return time.Time{}
	}
	return s.started.Add(time.Duration(at - 1))
}

func (m moment) seconds() uint32 { return uint32(time.Duration(m) / time.Second) }

// Change is that something about a remote user is other than it was known to be.
type Change struct {
	UserID string
	// Reader is the object whose own pass has found out, and need not be woken; empty when none has.
	Reader types.UID
}

// Changes tells of each remote user of whom something changed. Every call opens another channel.
func (s *Set) Changes() <-chan event.TypedGenericEvent[Change] {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes := make(chan event.TypedGenericEvent[Change], changeBuffer)
	s.changes = append(s.changes, changes)
	return changes
}

// changed drops the news where a channel is full, and says so: it is told again after the next listing.
func (s *Set) changed(change Change) (told bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	told = true
	for _, changes := range s.changes {
		select {
		case changes <- event.TypedGenericEvent[Change]{Object: change}:
		default:
			told = false
		}
	}
	return told
}

// For returns the mirror of the API account of a connection, as a view whose calls use the connection's client. From then on the
// users of the connection are polled.
func (s *Set) For(conn *connection.Connection) *Mirror {
	s.mu.Lock()
	m := s.mirrors[conn.Account()]
	if m == nil {
		m = newShared(s, conn.Account())
		s.mirrors[conn.Account()] = m
	}
	m.usedAt.Store(int64(s.now()))
	s.mu.Unlock()
	m.usedBy(conn)
	return &Mirror{m, conn.Client}
}

// Lookup returns what this process holds of the API account of a user; ok is false if it holds nothing. It makes no call.
func (s *Set) Lookup(user *v1alpha1.SmileUser) (held *shared, ok bool) {
	account, known := s.Connections.KnownAccount(user.Namespace, user.Spec.ConnectionRef)
	if !known {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.mirrors[account]
	return m, ok
}

func (s *Set) all() []*shared {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*shared, 0, len(s.mirrors))
	for _, m := range s.mirrors {
		all = append(all, m)
	}
	return all
}

// Mirror is a connection's view of its API account. The connections of an account share what is known; the calls of a view use
// the client of its connection.
type Mirror struct {
	*shared
	client *smile.Client
}

// shared is what is known of one API account.
type shared struct {
	set     *Set
	account string
	// reads joins those who want the same of the same user at the same time.
	reads singleflight.Group
	// usedAt is the moment when a connection last asked for the mirror. The set guards it.
	usedAt atomic.Int64

	mu     sync.Mutex
	people people
	// strangers are users that objects name and that carry no marker. A marker can be neither added nor removed.
	strangers map[string]bool
	// doubted are users that a listing of all, or a call, did not show any more.
	doubted map[string]bool
	// asked is when the last reads of single accounts began.
	asked map[question]moment
	// untold are users of whom those who should know could not be told a change.
	untold         map[string]bool
	walks          walks
	claims         map[string]Claim
	providers      map[string]smile.Provider
	rounds         rounds
	disappearances disappearances
	webhooks       webhooks
}

func newShared(set *Set, account string) *shared {
	return &shared{
		set:       set,
		account:   account,
		people:    newPeople(),
		strangers: map[string]bool{},
		doubted:   map[string]bool{},
		asked:     map[question]moment{},
		untold:    map[string]bool{},
		claims:    map[string]Claim{},
		providers: map[string]smile.Provider{},
		rounds: rounds{
			connections: map[types.NamespacedName]time.Duration{}, heard: map[types.NamespacedName]time.Time{},
			wanted: map[string]bool{},
		},
		disappearances: newDisappearances(),
	}
}

// tell wakes whoever is about these users.
func (m *shared) tell(userIDs []string) { m.tellOthers("", userIDs) }

// tellOthers wakes whoever is about these users, but for the object whose pass has found out. Of those whom it could not
// tell, all is told again.
func (m *shared) tellOthers(reader types.UID, userIDs []string) {
	for _, id := range userIDs {
		if m.set.changed(Change{id, reader}) {
			continue
		}
		m.mu.Lock()
		m.untold[id] = true
		m.mu.Unlock()
	}
}

// Provider gives a provider, whom this process asks about once.
func (m *Mirror) Provider(ctx context.Context, id string) (smile.Provider, error) {
	m.mu.Lock()
	known, ok := m.providers[id]
	m.mu.Unlock()
	if ok {
		return known, nil
	}
	provider, err := m.client.Provider(ctx, id)
	if err != nil {
		return provider, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.providers[id] = provider
	return provider, nil
}

// Claim says which object has a remote user.
type Claim struct {
	Object types.NamespacedName
	UID    types.UID
}

// Claim takes a remote user for an object, unless another has it, and tells who has it then.
func (m *shared) Claim(userID string, by Claim) Claim {
	m.mu.Lock()
	defer m.mu.Unlock()
	if holder, ok := m.claims[userID]; ok && holder.UID != by.UID {
		return holder
	}
	m.claims[userID] = by
	return by
}

// Unclaim lets go of a remote user that a holder no longer has.
func (m *shared) Unclaim(userID string, by Claim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claims[userID] == by {
		delete(m.claims, userID)
	}
}
