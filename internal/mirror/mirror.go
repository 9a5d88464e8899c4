// Package mirror holds what this process knows of the remote side, per API account, however many connections use the account:
// which users are ours, their accounts, and when data of the accounts was last gathered. It answers reconciles from memory where
// it can, makes calls where it must, and wakes the objects whose remote side changed. It holds only users that are ours or that
// an object names, and no personal data.
//
// Four words have one meaning each:
//   - A listing is one paged LIST at Smile, of users, accounts, tasks or webhooks.
//   - A refresh reads again what is known of a user, or of one account of it. A reconcile makes it, or requests it from the next
//     poll.
//   - A poll refreshes all users that are due, by a listing or user by user, whichever needs fewer calls (poller.go: when;
//     poll.go: how). Polls are on a wall-clock grid, or at once if a refresh was requested.
//   - A sync is a SmileAccountSync.
//
// Each part has its own lock: the memory, the claims, the guard against mass disappearance, the webhooks, the providers, the
// listings of users, the poller and its members. Two parts call others while they are locked: the memory calls the guard, and the
// set calls the members and the listings.
package mirror

import (
	"context"
	"sync"
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

// Connections returns ready connections, and the API accounts of those that were ready before, as connection.Registry does.
type Connections interface {
	For(ctx context.Context, namespace string, ref v1alpha1.ConnectionReference) (*connection.Connection, error)
	ProvenAccount(namespace string, ref v1alpha1.ConnectionReference) (account string, ok bool)
}

// Config is what a Set requires.
type Config struct {
	// Clock for all times.
	Clock clock.PassiveClock
	// Connections to poll with.
	Connections Connections
	// Objects reads SmileUsers and SmileAccountSyncs from the cache.
	Objects client.Reader
}

// Set holds the mirrors of this process.
type Set struct {
	Config
	timeline timeline
	life     context.Context
	changes  *notifier
	hints    *hints

	mu      sync.Mutex
	mirrors map[string]*shared
}

// NewSet returns an empty set. Listings that several callers wait for run until life ends.
func NewSet(life context.Context, config Config) *Set {
	line := timeline{clock: config.Clock, started: config.Clock.Now()}
	return &Set{
		Config: config, timeline: line, life: life, changes: &notifier{}, hints: newHints(line), mirrors: map[string]*shared{},
	}
}

// Started is when this process began. What was known before is in the statuses of the objects.
func (s *Set) Started() time.Time { return s.timeline.started }

// Changes opens a channel of the changes of remote users. If the channel is full, a change is sent again after the next read.
func (s *Set) Changes() <-chan event.TypedGenericEvent[Change] { return s.changes.open() }

// Hint returns what must be read of a user because of hints, for a connection that is polled in this interval. All callers get
// the same result for the same hint.
func (s *Set) Hint(user *v1alpha1.SmileUser, interval time.Duration) Hinted {
	return s.hints.of(user, interval)
}

// ForgetHint forgets the hints about the user of a SmileUser that was deleted.
func (s *Set) ForgetHint(name types.NamespacedName) { s.hints.forget(name) }

// For returns the mirror of the API account of a connection, as a view whose calls use the connection's client. From then on the
// users of the connection are polled.
func (s *Set) For(conn *connection.Connection) *Mirror {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mirrors[conn.Account()]
	if m == nil {
		m = newShared(s, conn.Account())
		s.mirrors[conn.Account()] = m
	}
	m.poller.add(conn)
	return &Mirror{m, conn.Client}
}

// Lookup returns what this process knows of the API account of a user; ok is false if it knows nothing. It makes no call.
func (s *Set) Lookup(user *v1alpha1.SmileUser) (memory *Memory, ok bool) {
	account, ok := s.Connections.ProvenAccount(user.Namespace, user.Spec.ConnectionRef)
	if !ok {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.mirrors[account]
	if !ok {
		return nil, false
	}
	return m.Memory, true
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

// shared is what the connections of one API account share. Each part has its own lock.
type shared struct {
	*Memory
	*claims
	*guard
	webhooks  *webhooks
	providers *providers
	listings  *listings
	poller    *poller
	// reads merges concurrent reads of the same user.
	reads singleflight.Group
}

func newShared(set *Set, account string) *shared {
	line := set.timeline
	guard := newGuard(line.clock)
	memory := newMemory(line, set.changes, guard)
	listings := &listings{timeline: line, life: set.life, memory: memory}
	poller := newPoller(set, account, memory, listings)
	guard.wake = memory.notify
	guard.count = func() (int, bool) { return countStaked(set.life, set.Objects, poller.names()) }
	return &shared{
		Memory: memory, claims: newClaims(), guard: guard, webhooks: newWebhooks(line.clock), providers: newProviders(),
		listings: listings, poller: poller,
	}
}
