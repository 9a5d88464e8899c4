package mirror

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"
	"unique"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/smile"
)

func sortUsers(users []User) {
	slices.SortFunc(users, func(a, b User) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
}

// Accounts gives the accounts of a user as they were at notBefore or later: from memory, or by a call.
func (m *Mirror) Accounts(ctx context.Context, reader types.UID, userID string, notBefore time.Time) ([]smile.Account, error) {
	fresh := func() bool { return m.AccountsReadSince(userID, notBefore) }
	err := m.look(ctx, "accounts/"+userID, fresh, func() error {
		changed, err := m.readAccounts(ctx, userID, atStake{})
		m.tellOthers(reader, changed)
		return err
	})
	if err != nil {
		return nil, err
	}
	accounts, _ := m.CachedAccounts(userID)
	return accounts, nil
}

// AccountsReadSince tells whether memory holds the accounts of a user as they were at notBefore or later.
func (m *shared) AccountsReadSince(userID string, notBefore time.Time) bool {
	return m.readSince(userID, notBefore, accountsOf)
}

// readSince tells whether what is known of a user was read at notBefore or later.
func (m *shared) readSince(userID string, notBefore time.Time, what func(*person) moment) bool {
	at := max(m.set.moment(notBefore), never+1)
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.people.byID[userID]
	return p != nil && what(p) >= at
}

// CachedAccounts gives the accounts that memory holds; ok is false when it holds none of the user.
func (m *shared) CachedAccounts(userID string) (accounts []smile.Account, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.people.byID[userID]
	if p == nil || p.accountsAt == never {
		return nil, false
	}
	for _, a := range p.accounts {
		if a.listed {
			accounts = append(accounts, a.domain(userID))
		}
	}
	return accounts, true
}

// Gathered tells, by account, of the data of a user that Smile has finished to gather, as it was at notBefore or
// later: from memory, or by a call.
func (m *Mirror) Gathered(
	ctx context.Context, reader types.UID, userID string, notBefore time.Time,
) (map[string]Gathered, error) {
	fresh := func() bool { return m.readSince(userID, notBefore, tasksOf) }
	err := m.look(ctx, "tasks/"+userID, fresh, func() error {
		return m.readTasks(ctx, reader, userID, func(smile.Task) {})
	})
	if err != nil {
		return nil, err
	}
	return m.CachedGathered(userID), nil
}

// TasksReadAt is when the last read of the tasks of a user began; zero when this process knows of none.
func (m *shared) TasksReadAt(userID string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.people.byID[userID]; p != nil {
		return m.set.time(p.tasksAt)
	}
	return time.Time{}
}

// CachedGathered tells the same from memory alone. What it does not tell of may have been gathered before this process
// began.
func (m *shared) CachedGathered(userID string) map[string]Gathered {
	m.mu.Lock()
	defer m.mu.Unlock()
	gathered := map[string]Gathered{}
	if p := m.people.byID[userID]; p != nil {
		for _, a := range p.accounts {
			if a.gathered != (Gathered{}) {
				gathered[a.id] = a.gathered
			}
		}
	}
	return gathered
}

// RecordNoAccounts records that a user has just been created, and so cannot have any.
func (m *shared) RecordNoAccounts(userID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, now := m.people.get(userID), m.set.now()
	if p.accountsAt == never {
		p.accountsAt = now
	}
	if p.tasksAt == never {
		p.tasksAt = now
	}
}

// look reads unless memory is fresh, together with whoever else wants the same. A read that had begun before may be
// too old, and then another one is made; so is where the one who read has gone away until it is its turn.
func (m *shared) look(ctx context.Context, what string, fresh func() bool, read func() error) error {
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

// readAccounts reads the accounts of a user, and returns the user if something changed.
func (m *Mirror) readAccounts(ctx context.Context, userID string, stake atStake) (changed []string, err error) {
	began := m.set.now()
	var accounts []smile.Account
	for account, err := range m.client.Accounts(ctx, smile.AccountFilter{UserID: userID}) {
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, account)
	}
	return m.learnAccounts(began, map[string][]smile.Account{userID: accounts}, stake), nil
}

func (m *Mirror) readTasks(ctx context.Context, reader types.UID, userID string, see func(smile.Task)) error {
	began := m.set.now()
	found := finished{}
	for task, err := range m.client.Tasks(ctx, smile.TaskFilter{UserID: userID}) {
		if err != nil {
			return err
		}
		found.add(userID, task)
		see(task)
	}
	m.tellOthers(reader, m.learnTasks(began, []string{userID}, found, true))
	return nil
}

// learnAccounts takes over what a read told of the accounts of some users, each of whom it told all of. A user is
// brought up to date only by a read that began later than the one before. It returns the users for whom something changed.
func (m *shared) learnAccounts(began moment, read map[string][]smile.Account, stake atStake) (changed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for userID, accounts := range read {
		p := m.people.get(userID)
		if p.accountsAt > began {
			continue
		}
		later := func(accountID string) bool { return m.asked[question{userID, accountID}] > began }
		accounts = slices.DeleteFunc(accounts, func(a smile.Account) bool { return later(a.ID) })
		m.disappearances.notice(userID, stake.except(userID, later), accounts, m.set.Clock.Now())
		entries := make([]account, 0, len(accounts))
		for _, a := range accounts {
			entries = append(entries, accountOf(a, p.accounts))
		}
		entries = append(entries, p.unlisted(accounts, later)...)
		if p.accountsAt == never || m.untold[userID] || !slices.EqualFunc(p.accounts, entries, sameAccount) {
			changed = append(changed, userID)
			delete(m.untold, userID)
		}
		p.accounts, p.accountsAt = slices.Clip(entries), began
	}
	return changed
}

// learnTasks takes over what a read told of the finished tasks of some users. It told of all tasks, or only of those
// since some day, which says nothing of earlier ones but does bring the picture up to date.
func (m *shared) learnTasks(began moment, users []string, found finished, all bool) (changed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, userID := range users {
		p := m.people.get(userID)
		if p.tasksAt > began {
			continue
		}
		if p.learn(found[userID]) || m.untold[userID] {
			changed = append(changed, userID)
			delete(m.untold, userID)
		}
		if all || p.tasksAt > never {
			p.tasksAt = began
		}
	}
	return changed
}

// learn takes over what was gathered, by account, and tells whether any of it is news.
func (p *person) learn(gathered map[string]Gathered) (news bool) {
	for _, id := range slices.Sorted(maps.Keys(gathered)) {
		i := slices.IndexFunc(p.accounts, func(a account) bool { return a.id == id })
		if i < 0 {
			i = len(p.accounts)
			p.accounts = append(p.accounts, account{id: id, facts: unique.Make(facts{})})
		}
		newest := p.accounts[i].gathered.newest(gathered[id])
		news = news || newest != p.accounts[i].gathered
		p.accounts[i].gathered = newest
	}
	return news
}

// unlisted are the accounts that a listing does not show and need not show: they are known only from tasks, or from a later read
// of the account alone.
func (p *person) unlisted(accounts []smile.Account, later func(accountID string) bool) []account {
	var others []account
	for _, a := range p.accounts {
		if (!a.listed || later(a.id)) && !slices.ContainsFunc(accounts, func(b smile.Account) bool { return b.ID == a.id }) {
			others = append(others, a)
		}
	}
	return others
}

func accountOf(a smile.Account, before []account) account {
	entry := account{
		id: a.ID, createdAt: secondOf(a.CreatedAt), updatedAt: secondOf(a.Connection.UpdatedAt), listed: true,
		facts: unique.Make(facts{a.ProviderID, a.Connection.Status, a.Connection.ErrorCode, a.Monitor.Status}),
	}
	if i := slices.IndexFunc(before, func(b account) bool { return b.id == a.ID }); i >= 0 {
		entry.id, entry.gathered = before[i].id, before[i].gathered
	}
	return entry
}

func sameAccount(a, b account) bool {
	return a.id == b.id && a.facts == b.facts && a.listed == b.listed
}

func (a account) domain(userID string) smile.Account {
	f := a.facts.Value()
	return smile.Account{
		ID: a.id, CreatedAt: a.createdAt.time(), ProviderID: f.provider, UserID: userID,
		Connection: smile.Connection{Status: f.status, ErrorCode: f.code, UpdatedAt: a.updatedAt.time()},
		Monitor:    smile.Monitor{Status: f.monitor},
	}
}

// finished are the tasks that have finished, by user and account.
type finished map[string]map[string]Gathered

func (f finished) add(userID string, task smile.Task) {
	if !task.Finished() || task.Source.SourceID == "" {
		return
	}
	if f[userID] == nil {
		f[userID] = map[string]Gathered{}
	}
	gathered := f[userID][task.Source.SourceID]
	gathered.add(secondOf(*task.FinishedAt))
	f[userID][task.Source.SourceID] = gathered
}
