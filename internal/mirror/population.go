package mirror

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// resident is a remote user that a live object has.
type resident struct {
	// accounts are those whose data would be erased if they disappeared, as the statuses of account syncs tell.
	accounts []staked
	// synced tells whether there is an account sync at all.
	synced bool
}

type population map[string]resident

// ids are the users, or of them those that are synced.
func (p population) ids(onlySynced bool, due func(userID string) bool) []string {
	var ids []string
	for id, r := range p {
		if (r.synced || !onlySynced) && due(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// staked are the accounts at stake, by user, and how many they are.
func (p population) staked() (all map[string][]staked, count int) {
	all = make(map[string][]staked, len(p))
	for id, r := range p {
		all[id] = r.accounts
		count += len(r.accounts)
	}
	return all, count
}

// members are the connections of an API account that can be used now, and who lives on them.
type members struct {
	client *smile.Client
	names  []types.NamespacedName
	// confirmed is the present time, if Smile's clock confirms it; else the zero time.
	confirmed time.Time
}

// usedBy notes a connection of this API account.
func (m *shared) usedBy(conn *connection.Connection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.connections[conn.Name] = conn.ResyncInterval
}

// members asks which of the connections can be used now, and forgets those that are gone or have other keys by now.
func (m *shared) members(ctx context.Context) members {
	m.mu.Lock()
	names := make([]types.NamespacedName, 0, len(m.rounds.connections))
	for name := range m.rounds.connections {
		names = append(names, name)
	}
	m.mu.Unlock()
	var usable members
	for _, name := range names {
		conn, err := m.set.Connections.For(ctx, name.Namespace, v1alpha1.ConnectionReference{Name: name.Name})
		gone := problem.Is(err, v1alpha1.ReasonConnectionNotFound) || err == nil && conn.Account() != m.account
		switch {
		case gone:
			m.mu.Lock()
			delete(m.rounds.connections, name)
			m.mu.Unlock()
		case err == nil && conn.Usable() == nil:
			usable.client = conn.Client
			usable.names = append(usable.names, name)
			if conn.Skew().Confirmed() {
				usable.confirmed = m.set.Clock.Now()
			}
		}
	}
	return usable
}

// population reads from the cache whom there is to know something of.
func (m *shared) population(ctx context.Context, of members) (population, error) {
	all, syncs := population{}, map[string]map[string]resident{}
	for _, name := range of.names {
		if syncs[name.Namespace] == nil {
			bySync, err := m.syncs(ctx, name.Namespace)
			if err != nil {
				return nil, err
			}
			syncs[name.Namespace] = bySync
		}
		var users v1alpha1.SmileUserList
		err := m.set.Objects.List(ctx, &users, client.InNamespace(name.Namespace),
			client.MatchingFields{index.Connection: name.Name}, client.UnsafeDisableDeepCopy)
		if err != nil {
			return nil, fmt.Errorf("listing the users of a connection: %w", err)
		}
		for i := range users.Items {
			user := &users.Items[i]
			if user.Status.UserID == "" || user.Spec.Suspend || !user.DeletionTimestamp.IsZero() {
				continue
			}
			r, own := all[user.Status.UserID], syncs[name.Namespace][user.Name]
			r.accounts, r.synced = append(r.accounts, own.accounts...), r.synced || own.synced
			all[user.Status.UserID] = r
		}
	}
	return all, nil
}

// syncs gives what account syncs of a namespace tell of their users, by the name of the user.
func (m *shared) syncs(ctx context.Context, namespace string) (map[string]resident, error) {
	var syncs v1alpha1.SmileAccountSyncList
	err := m.set.Objects.List(ctx, &syncs, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing the account syncs: %w", err)
	}
	found := map[string]resident{}
	for i := range syncs.Items {
		sync := &syncs.Items[i]
		if sync.Spec.Suspend {
			continue
		}
		r := found[sync.Spec.UserRef.Name]
		r.synced = true
		for _, a := range sync.Status.Accounts {
			if AtStake(sync, a) {
				r.accounts = append(r.accounts, staked{a.ID, secondOf(endsBy(a))})
			}
		}
		found[sync.Spec.UserRef.Name] = r
	}
	return found, nil
}
