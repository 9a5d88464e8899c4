package mirror

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// members are the connections that use an API account.
type members struct {
	timeline
	account  string
	registry Connections

	mu     sync.Mutex
	byName map[types.NamespacedName]member
	// usedAt is when a connection last used the mirror.
	usedAt moment
}

type member struct {
	// interval is how often the connection requires a poll.
	interval time.Duration
	// reconciledAt is when the connection was last reconciled, as far as this process knows.
	reconciledAt time.Time
}

// add records that a connection uses the API account.
func (m *members) add(conn *connection.Connection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one := m.byName[conn.Name]
	one.interval = conn.ResyncInterval
	m.byName[conn.Name] = one
	m.usedAt = m.now()
}

// reconciled records that a connection is reconciled. It reports whether the connection is new, or was away for longer than its
// interval.
func (m *members) reconciled(conn *connection.Connection) (returned bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one, now := m.byName[conn.Name], m.clock.Now()
	returned = now.Sub(one.reconciledAt) > conn.ResyncInterval
	m.byName[conn.Name] = member{interval: conn.ResyncInterval, reconciledAt: now}
	return returned
}

// interval is how often a poll is due: as often as the most demanding connection requires; ok is false if there is no connection.
func (m *members) interval() (shortest time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range m.byName {
		if !ok || one.interval < shortest {
			shortest, ok = one.interval, true
		}
	}
	return shortest, ok
}

func (m *members) names() []types.NamespacedName {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := make([]types.NamespacedName, 0, len(m.byName))
	for name := range m.byName {
		names = append(names, name)
	}
	return names
}

// unusedFor is for how long no connection has used the mirror; zero if there is a connection.
func (m *members) unusedFor() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.byName) > 0 {
		return 0
	}
	return time.Duration(m.now() - m.usedAt)
}

func (m *members) remove(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byName, name)
}

// usable are the connections that can be used for a poll.
type usable struct {
	// client of one of them; nil if there is none.
	client *smile.Client
	names  []types.NamespacedName
	// confirmed is the present time, if Smile's clock confirms it; else the zero time.
	confirmed time.Time
}

// usable returns the connections that can be used now. It forgets those that were deleted or have the keys of another API
// account.
func (m *members) usable(ctx context.Context) usable {
	var found usable
	for _, name := range m.names() {
		conn, err := m.registry.For(ctx, name.Namespace, v1alpha1.ConnectionReference{Name: name.Name})
		gone := problem.Is(err, v1alpha1.ReasonConnectionNotFound) || err == nil && conn.Account() != m.account
		switch {
		case gone:
			m.remove(name)
		case err == nil && conn.Usable() == nil:
			found.client = conn.Client
			found.names = append(found.names, name)
			if conn.Skew().Confirmed() {
				found.confirmed = m.clock.Now()
			}
		}
	}
	return found
}
