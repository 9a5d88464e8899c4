package mirror

import (
	"context"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// fetcher reads users with the client of one connection, and stores what the reads show.
type fetcher struct {
	client *smile.Client
	memory *Memory
}

// accounts reads all accounts of a user, and returns the user if something changed.
func (f fetcher) accounts(ctx context.Context, userID string, stake atStake) (changed []string, err error) {
	began := f.memory.now()
	var accounts []smile.Account
	for account, err := range f.client.Accounts(ctx, smile.AccountFilter{UserID: userID}) {
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, account)
	}
	return f.memory.learnAccounts(began, map[string][]smile.Account{userID: accounts}, stake), nil
}

// account reads one account of a user.
func (f fetcher) account(ctx context.Context, reader types.UID, userID, accountID string) error {
	began := f.memory.now()
	account, err := f.client.Account(ctx, accountID)
	if err != nil && !smile.IsNotFound(err) {
		return err
	}
	if err != nil || account.UserID != userID {
		f.memory.notifyOthers(reader, f.memory.learnAbsence(began, userID, accountID))
	}
	if err == nil {
		f.memory.notifyOthers(reader, f.memory.learnAccount(began, account))
	}
	return nil
}

// tasks reads all tasks of a user, and passes each to see.
func (f fetcher) tasks(ctx context.Context, reader types.UID, userID string, see func(smile.Task)) error {
	began := f.memory.now()
	found := finished{}
	for task, err := range f.client.Tasks(ctx, smile.TaskFilter{UserID: userID}) {
		if err != nil {
			return err
		}
		found.add(userID, task)
		see(task)
	}
	f.memory.notifyOthers(reader, f.memory.learnTasks(began, []string{userID}, found, true))
	return nil
}

func (m *Mirror) fetcher() fetcher { return fetcher{m.client, m.Memory} }

// Accounts returns the accounts of a user as of notBefore or later: from memory, or by a call. The reader is the object for which
// the call is made: it is not woken by what the call shows. It is empty if all objects are to be woken.
func (m *Mirror) Accounts(ctx context.Context, reader types.UID, userID string, notBefore time.Time) ([]smile.Account, error) {
	fresh := func() bool { return m.AccountsReadSince(userID, notBefore) }
	err := m.refresh(ctx, "accounts/"+userID, fresh, func() error {
		changed, err := m.fetcher().accounts(ctx, userID, atStake{})
		m.notifyOthers(reader, changed)
		return err
	})
	if err != nil {
		return nil, err
	}
	accounts, _ := m.CachedAccounts(userID)
	return accounts, nil
}

// Gathered returns, by account, which data of a user Smile has finished gathering, as of notBefore or later: from memory, or by a
// call for the reader, as with Accounts.
func (m *Mirror) Gathered(
	ctx context.Context, reader types.UID, userID string, notBefore time.Time,
) (map[string]Gathered, error) {
	fresh := func() bool { return m.readSince(userID, notBefore, tasksOf) }
	err := m.refresh(ctx, "tasks/"+userID, fresh, func() error {
		return m.fetcher().tasks(ctx, reader, userID, func(smile.Task) {})
	})
	if err != nil {
		return nil, err
	}
	return m.CachedGathered(userID), nil
}

// RefreshAccount ensures that memory shows one account of a user as of notBefore or later, by a call for the reader unless it
// does already. Afterwards CachedAccounts has the account if it is the user's. If the user's accounts were never read, it reads
// them all, which is one call too.
func (m *Mirror) RefreshAccount(ctx context.Context, reader types.UID, userID, accountID string, notBefore time.Time) error {
	if _, read := m.CachedAccounts(userID); !read {
		_, err := m.Accounts(ctx, reader, userID, notBefore)
		return err
	}
	fresh := func() bool { return m.AccountReadSince(userID, accountID, notBefore) }
	return m.refresh(ctx, "account/"+userID+"/"+accountID, fresh, func() error {
		return m.fetcher().account(ctx, reader, userID, accountID)
	})
}

// refresh reads unless memory is fresh, once for all callers that want the same at the same time. It reads again if the read that
// the caller waited for began too early, or was given up because its own caller's turn is too far away.
func (m *Mirror) refresh(ctx context.Context, what string, fresh func() bool, read func() error) error {
	for {
		if fresh() {
			return nil
		}
		var own atomic.Bool
		reading := m.reads.DoChan(what, func() (any, error) {
			own.Store(true)
			return nil, recovered(ctx, read)
		})
		select {
		case result := <-reading:
			if own.Load() || result.Err != nil && !smile.KeepsPlace(result.Err) {
				return result.Err
			}
		case <-ctx.Done():
			return &smile.UnsentError{Cause: context.Cause(ctx)}
		}
	}
}

// Marker returns the marker of a remote user: from memory, or by a call.
func (m *Mirror) Marker(ctx context.Context, userID string) (Mark, error) {
	if mark, ok := m.markerOf(userID); ok {
		return mark, nil
	}
	remote, err := m.client.User(ctx, userID)
	if err != nil {
		return Mark{}, err
	}
	return m.addRead(userID, remote), nil
}

// Find returns the remote users of an object and its subject, from a listing that began at a time or later. If there is none yet,
// it makes one: of all users, or of the newest if an earlier listing has shown all.
func (m *Mirror) Find(ctx context.Context, wanted identity.Marker, after time.Time) (Found, error) {
	if missing, listed := m.listings.missing(after); !listed {
		if err := m.listings.ensure(ctx, m.client, missing); err != nil {
			return Found{}, err
		}
	}
	return m.find(wanted), nil
}

// Settle returns the users of an object after a creation whose outcome is unknown, from a listing that is read twice, starts at
// settled or later, and reaches back to two days before the attempt. A user that it does not show was not created.
func (m *Mirror) Settle(ctx context.Context, wanted identity.Marker, attempted, settled time.Time) (Found, error) {
	since := attempted.UTC().Truncate(day).AddDate(0, 0, -2)
	if err := m.listings.ensure(ctx, m.client, settling(since, settled)); err != nil {
		return Found{}, err
	}
	return m.find(wanted), nil
}

// RemoteTime is a lower bound of the current time at Smile, from the Date headers of the last listing of users; ok is false if
// there were none.
func (m *Mirror) RemoteTime() (now time.Time, ok bool) { return m.listings.remoteTime() }

// RequestRefresh requests a poll that reads the accounts of a user at once, and then wakes the user's objects.
func (m *Mirror) RequestRefresh(userID string) { m.poller.request(userID) }

// RequestRefreshSince does the same, unless the accounts were read at a time or later.
func (m *Mirror) RequestRefreshSince(userID string, at time.Time) {
	if !m.AccountsReadSince(userID, at) {
		m.poller.request(userID)
	}
}

// TokenMinted records that a link token was minted for a user, who probably links an account now. Polls refresh the user's
// accounts at growing distances from now on, so that data arrives without webhooks too.
func (m *Mirror) TokenMinted(userID string) { m.poller.activities.note(userID, m.poller.clock.Now()) }

// Stale reports whether what is known is older than two intervals.
func (m *Mirror) Stale(interval time.Duration) bool { return m.poller.age() > 2*interval }
