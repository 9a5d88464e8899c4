package mirror

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// view is one listing of a user's things, and when its reading began.
type view[T any] struct {
	readAt time.Time
	items  []T
}

// Accounts gives the accounts of a user as they were at notBefore or later: from memory, or by a call.
func (m *Mirror) Accounts(ctx context.Context, client *smile.Client, userID string, notBefore time.Time) ([]smile.Account, error) {
	return look(m, m.accounts, userID, notBefore, sameAccount,
		client.Accounts(ctx, smile.AccountFilter{UserID: userID}))
}

// Tasks gives the tasks of a user as they were at notBefore or later: from memory, or by a call.
func (m *Mirror) Tasks(ctx context.Context, client *smile.Client, userID string, notBefore time.Time) ([]smile.Task, error) {
	return look(m, m.tasks, userID, notBefore, sameTask,
		client.Tasks(ctx, smile.TaskFilter{UserID: userID}))
}

// KnownAccounts gives the accounts that memory holds; ok is false when it holds none of the user.
func (m *Mirror) KnownAccounts(userID string) (accounts []smile.Account, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.accounts[userID]
	return known.items, ok
}

// NoAccounts records that a user has just been created, and so cannot have any.
func (m *Mirror) NoAccounts(userID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.accounts[userID]; !ok {
		m.accounts[userID] = view[smile.Account]{readAt: m.set.clock.Now()}
	}
}

// look answers from views if what they hold is fresh enough, and else reads the listing. An entry gives way only
// to a read that started later.
func look[T any](
	m *Mirror, views map[string]view[T], userID string, notBefore time.Time,
	same func(a, b T) bool, listing iter.Seq2[T, error],
) ([]T, error) {
	m.mu.Lock()
	known, ok := views[userID]
	m.mu.Unlock()
	if ok && !known.readAt.Before(notBefore) {
		return known.items, nil
	}
	fresh := view[T]{readAt: m.set.clock.Now()}
	for item, err := range listing {
		if err != nil {
			return nil, err
		}
		fresh.items = append(fresh.items, item)
	}
	m.mu.Lock()
	known, ok = views[userID] // another read may have ended meanwhile
	if known.readAt.After(fresh.readAt) {
		m.mu.Unlock()
		return known.items, nil
	}
	views[userID] = fresh
	m.mu.Unlock()
	if !ok || !slices.EqualFunc(known.items, fresh.items, same) {
		m.set.changed(userID)
	}
	return fresh.items, nil
}

func sameAccount(a, b smile.Account) bool {
	return a.ID == b.ID && a.Connection.Status == b.Connection.Status &&
		a.Connection.ErrorCode == b.Connection.ErrorCode && a.Monitor.Status == b.Monitor.Status
}

func sameTask(a, b smile.Task) bool {
	return a.ID == b.ID && a.Status == b.Status
}

// Provider gives a provider, whom this process asks about once.
func (m *Mirror) Provider(ctx context.Context, client *smile.Client, id string) (smile.Provider, error) {
	m.mu.Lock()
	known, ok := m.providers[id]
	m.mu.Unlock()
	if ok {
		return known, nil
	}
	provider, err := client.Provider(ctx, id)
	if err != nil {
		return provider, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.providers[id] = provider
	return provider, nil
}
