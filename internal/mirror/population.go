package mirror

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/index"
)

// population are the remote users of an API account that objects have, by id.
type population map[string]resident

// resident is a remote user that an object has.
type resident struct {
	// accounts are those whose data would be erased if they disappeared, according to the statuses of syncs.
	accounts []staked
	// synced is whether there is a sync.
	synced bool
}

// due returns the ids of the users that are due; only those with a sync if onlySynced.
func (p population) due(onlySynced bool, isDue func(userID string) bool) []string {
	var ids []string
	for id, r := range p {
		if (r.synced || !onlySynced) && isDue(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// staked returns the accounts at stake, by user, and their number.
func (p population) staked() (all map[string][]staked, count int) {
	all = make(map[string][]staked, len(p))
	for id, r := range p {
		all[id] = r.accounts
		count += len(r.accounts)
	}
	return all, count
}

// readPopulation reads the users of some connections from the cache.
func readPopulation(ctx context.Context, objects client.Reader, connections []types.NamespacedName) (population, error) {
	all, syncs := population{}, map[string]map[string]resident{}
	for _, name := range connections {
		if syncs[name.Namespace] == nil {
			bySync, err := readSyncs(ctx, objects, name.Namespace)
			if err != nil {
				return nil, err
			}
			syncs[name.Namespace] = bySync
		}
		var users v1alpha1.SmileUserList
		err := objects.List(ctx, &users, client.InNamespace(name.Namespace),
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

// readSyncs returns what the syncs of a namespace contribute to their users, by the name of the SmileUser.
func readSyncs(ctx context.Context, objects client.Reader, namespace string) (map[string]resident, error) {
	var syncs v1alpha1.SmileAccountSyncList
	err := objects.List(ctx, &syncs, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)
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

// countStaked counts the accounts at stake of some connections in the cache; ok is false if it cannot.
func countStaked(ctx context.Context, objects client.Reader, connections []types.NamespacedName) (total int, ok bool) {
	if objects == nil {
		return 0, false
	}
	users, err := readPopulation(ctx, objects, connections)
	if err != nil {
		return 0, false
	}
	_, total = users.staked()
	return total, true
}
