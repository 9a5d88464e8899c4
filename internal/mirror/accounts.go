package mirror

import (
	"slices"
	"time"
	"unique"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// account is what is known of an account of a user.
type account struct {
	id                   string
	facts                unique.Handle[facts]
	createdAt, updatedAt second
	gathered             Gathered
	// listed is false while only a task has shown the account.
	listed bool
}

// facts are the properties that many accounts have in common.
type facts struct {
	provider string
	status   smile.ConnectionStatus
	code     smile.AccountErrorCode
	monitor  smile.MonitorStatus
}

// accountOf converts an account that a read has shown. What its tasks have shown is taken from the accounts known before.
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

// account is the index of a user's account in the list; -1 if it is not there.
func (r *record) account(id string) int {
	if r == nil {
		return -1
	}
	return slices.IndexFunc(r.accounts, func(a account) bool { return a.id == id })
}

// unlisted are the accounts that a listing does not show and need not show: they are known only from tasks, or from a later read
// of the account alone.
func (r *record) unlisted(accounts []smile.Account, later func(accountID string) bool) []account {
	var others []account
	for _, a := range r.accounts {
		if (!a.listed || later(a.id)) && !slices.ContainsFunc(accounts, func(b smile.Account) bool { return b.ID == a.id }) {
			others = append(others, a)
		}
	}
	return others
}

// AccountsReadSince reports whether a read of all accounts of a user began at notBefore or later.
func (m *Memory) AccountsReadSince(userID string, notBefore time.Time) bool {
	return m.readSince(userID, notBefore, accountsOf)
}

// CachedAccounts returns the accounts of a user; ok is false if they were never read.
func (m *Memory) CachedAccounts(userID string) (accounts []smile.Account, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.users.byID[userID]
	if r == nil || r.accountsAt == never {
		return nil, false
	}
	for _, a := range r.accounts {
		if a.listed {
			accounts = append(accounts, a.domain(userID))
		}
	}
	return accounts, true
}

// RecordNoAccounts records that a user has just been created, and so has no accounts.
func (m *Memory) RecordNoAccounts(userID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, now := m.users.get(userID), m.now()
	if r.accountsAt == never {
		r.accountsAt = now
	}
	if r.tasksAt == never {
		r.tasksAt = now
	}
}

// learnAccounts stores a read of all accounts of some users, unless a later one is known. It returns the users that changed. It
// calls the guard under the same lock, so that the guard sees reads in their order.
func (m *Memory) learnAccounts(began moment, read map[string][]smile.Account, stake atStake) (changed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for userID, accounts := range read {
		r := m.users.get(userID)
		if r.accountsAt > began {
			continue
		}
		later := func(accountID string) bool { return m.singles[single{userID, accountID}] > began }
		accounts = slices.DeleteFunc(accounts, func(a smile.Account) bool { return later(a.ID) })
		m.guard.observe(userID, stake.except(userID, later), accounts)
		entries := make([]account, 0, len(accounts))
		for _, a := range accounts {
			entries = append(entries, accountOf(a, r.accounts))
		}
		entries = append(entries, r.unlisted(accounts, later)...)
		if r.accountsAt == never || m.unsent[userID] || !slices.EqualFunc(r.accounts, entries, sameAccount) {
			changed = append(changed, userID)
			delete(m.unsent, userID)
		}
		r.accounts, r.accountsAt = slices.Clip(entries), began
	}
	return changed
}
