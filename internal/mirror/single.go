package mirror

import (
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// mostSingleReads limits how many reads of single accounts are remembered. If one is forgotten whose hint still exists, it is
// repeated.
const mostSingleReads = 1_000

// single is an account that was read alone, for a user.
type single struct{ userID, accountID string }

// singleReads are when the last reads of single accounts began.
type singleReads map[single]moment

// note records a read. It returns false if a later one is known.
func (s singleReads) note(what single, began moment) bool {
	if s[what] > began {
		return false
	}
	if len(s) >= mostSingleReads {
		clear(s)
	}
	s[what] = began
	return true
}

// IsForeign reports whether an account is known to belong to another user. Then a hint about this user and the account requires
// no call.
func (m *Memory) IsForeign(userID, accountID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users.byID[userID].account(accountID) >= 0 {
		return false
	}
	for id, r := range m.users.byID {
		if id != userID && r.account(accountID) >= 0 {
			return true
		}
	}
	return false
}

// CachedAccount returns an account of a user; ok is false if no read has shown it.
func (m *Memory) CachedAccount(userID, accountID string) (shown smile.Account, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.users.byID[userID]
	i := r.account(accountID)
	if i < 0 || !r.accounts[i].listed {
		return smile.Account{}, false
	}
	return r.accounts[i].domain(userID), true
}

// AccountReadSince reports whether a read of an account of a user, alone or with the others, began at notBefore or later.
func (m *Memory) AccountReadSince(userID, accountID string, notBefore time.Time) bool {
	at := max(m.moment(notBefore), never+1)
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.users.byID[userID]
	return r != nil && r.accountsAt >= at || m.singles[single{userID, accountID}] >= at
}

// learnAccount stores a read of one account, unless a later read of all accounts of its user is known. It returns the user if
// something changed.
func (m *Memory) learnAccount(began moment, shown smile.Account) (changed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.users.byID[shown.UserID]
	if r == nil || r.accountsAt == never || r.accountsAt > began || !m.singles.note(single{shown.UserID, shown.ID}, began) {
		return nil
	}
	entry := accountOf(shown, r.accounts)
	i := r.account(shown.ID)
	if i < 0 || !sameAccount(r.accounts[i], entry) {
		changed = []string{shown.UserID}
	}
	if i < 0 {
		r.accounts = append(r.accounts, entry)
	} else {
		r.accounts[i] = entry
	}
	m.guard.observe(shown.UserID, atStake{}, []smile.Account{shown})
	return changed
}

// learnAbsence records that a read of one account did not show it as the user's. It returns the user if something changed.
func (m *Memory) learnAbsence(began moment, userID, accountID string) (changed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	later := !m.singles.note(single{userID, accountID}, began)
	r := m.users.byID[userID]
	i := r.account(accountID)
	if i < 0 || r.accountsAt > began || later {
		return nil
	}
	r.accounts = slices.Delete(r.accounts, i, i+1)
	return []string{userID}
}
