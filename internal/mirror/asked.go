package mirror

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// mostAsked limits how many reads of single accounts are remembered. A forgotten read costs a call if its hint still exists.
const mostAsked = 1_000

// question is an account that was read for a user.
type question struct{ userID, accountID string }

// IsForeign reports whether an account is known to belong to another user. Then a hint about this user and the account needs no
// call.
func (m *shared) IsForeign(userID, accountID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.people.byID[userID].account(accountID) >= 0 {
		return false
	}
	for id, p := range m.people.byID {
		if id != userID && p.account(accountID) >= 0 {
			return true
		}
	}
	return false
}

// CachedAccount returns an account of a user from memory; ok is false when no read has shown it.
func (m *shared) CachedAccount(userID, accountID string) (known smile.Account, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.people.byID[userID]
	i := p.account(accountID)
	if i < 0 || !p.accounts[i].listed {
		return smile.Account{}, false
	}
	return p.accounts[i].domain(userID), true
}

// RefreshAccount ensures that memory shows one account of a user as of notBefore or later, by a call unless it does already. Afterwards
// CachedAccounts has the account if it is the user's. If this process does not know the user's accounts yet, it reads them all,
// which is one call too.
func (m *Mirror) RefreshAccount(ctx context.Context, reader types.UID, userID, accountID string, notBefore time.Time) error {
	if _, known := m.CachedAccounts(userID); !known {
		_, err := m.Accounts(ctx, reader, userID, notBefore)
		return err
	}
	fresh := func() bool { return m.AccountReadSince(userID, accountID, notBefore) }
	return m.look(ctx, "account/"+userID+"/"+accountID, fresh, func() error {
		return m.readAccount(ctx, reader, userID, accountID)
	})
}

// AccountReadSince reports whether a read of an account of a user began at notBefore or later.
func (m *shared) AccountReadSince(userID, accountID string, notBefore time.Time) bool {
	at := max(m.set.moment(notBefore), never+1)
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.people.byID[userID]
	return p != nil && p.accountsAt >= at || m.asked[question{userID, accountID}] >= at
}

func (m *Mirror) readAccount(ctx context.Context, reader types.UID, userID, accountID string) error {
	began := m.set.now()
	account, err := m.client.Account(ctx, accountID)
	if err != nil && !smile.IsNotFound(err) {
		return err
	}
	if err != nil || account.UserID != userID {
		m.tellOthers(reader, m.learnAbsence(began, userID, accountID))
	}
	if err == nil {
		m.tellOthers(reader, m.learnAccount(began, account))
	}
	return nil
}

// learnAccount stores the result of a read of one account, unless a later read of all accounts of its user is known. It returns
// the user if something changed.
func (m *shared) learnAccount(began moment, shown smile.Account) (changed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.people.byID[shown.UserID]
	if p == nil || p.accountsAt == never || p.accountsAt > began || !m.noteAsked(question{shown.UserID, shown.ID}, began) {
		return nil
	}
	entry := accountOf(shown, p.accounts)
	i := p.account(shown.ID)
	if i < 0 || !sameAccount(p.accounts[i], entry) {
		changed = []string{shown.UserID}
	}
	if i < 0 {
		p.accounts = append(p.accounts, entry)
	} else {
		p.accounts[i] = entry
	}
	m.disappearances.notice(shown.UserID, atStake{}, []smile.Account{shown}, m.set.Clock.Now())
	return changed
}

// learnAbsence records that a read of one account did not show it as the user's. It returns the user if something changed.
func (m *shared) learnAbsence(began moment, userID, accountID string) (changed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	later := !m.noteAsked(question{userID, accountID}, began)
	p := m.people.byID[userID]
	i := p.account(accountID)
	if i < 0 || p.accountsAt > began || later {
		return nil
	}
	p.accounts = slices.Delete(p.accounts, i, i+1)
	return []string{userID}
}

// noteAsked records when a read of one account began. It returns false if one that began later is known.
func (m *shared) noteAsked(what question, began moment) bool {
	if m.asked[what] > began {
		return false
	}
	if len(m.asked) >= mostAsked {
		clear(m.asked)
	}
	m.asked[what] = began
	return true
}

// account is the index of a user's account in the list; -1 if it is not there.
func (p *person) account(id string) int {
	if p == nil {
		return -1
	}
	return slices.IndexFunc(p.accounts, func(a account) bool { return a.id == id })
}
