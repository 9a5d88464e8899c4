package mirror

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// If a few accounts disappear or are disconnected, people have withdrawn their consent. If many do at once, it is more likely a
// mistake: of Smile, in an exchange of keys, or in the operator. Then nothing is erased until somebody approves it.
const (
	fewDisappear      = 10 // fewer than this are never held
	disappearingShare = 20 // one in so many may disappear
	disappearingSpan  = 15 * time.Minute
	// heldRetry is after how long a held erasure is retried; heldFor is how long it counts as waiting without a retry.
	heldRetry = time.Hour
	heldFor   = 3 * heldRetry
)

// MassDisappearance is the problem of data whose erasure is held.
var MassDisappearance = problem.NewInvalid(v1alpha1.ReasonMassDisappearance,
	"many accounts disappeared at Smile or were disconnected at once: their data is kept until Smile shows them connected again, or "+
		"a new value of the annotation "+v1alpha1.AnnotationApproveErasure+" on the SmileConnection approves its erasure").
	After(heldRetry)

// staked is an account whose data would be erased if it disappeared.
type staked struct {
	id string
	// until is when Smile ends the account by itself; 0 when it is not known.
	until second
}

// AtStake reports whether data of an account would be erased if the account were found to be disconnected: there is data, the
// spec does not retain it, and the operator did not revoke the account itself.
func AtStake(sync *v1alpha1.SmileAccountSync, account v1alpha1.SyncedAccount) bool {
	retained := sync.Spec.Retention != nil && sync.Spec.Retention.OnDisconnect == v1alpha1.DisconnectRetain
	return len(account.Datapoints) > 0 && account.ReleasedAt == nil && !retained &&
		account.ConnectionStatus != string(smile.ConnectionDisconnected)
}

// endsBy is when Smile ends an account by itself, because it keeps data for a limited time; the zero time when that is not known,
// or never happens because the account is monitored.
func endsBy(account v1alpha1.SyncedAccount) time.Time {
	if account.AvailableUntil == nil || account.MonitorStatus == string(smile.MonitorActive) {
		return time.Time{}
	}
	return account.AvailableUntil.Time
}

// Ended reports whether Smile has ended an account by itself at a time: that is expected, and holds nothing. At the zero time
// none has ended.
func Ended(account v1alpha1.SyncedAccount, now time.Time) bool { return isOver(endsBy(account), now) }

func isOver(until, now time.Time) bool { return !until.IsZero() && !until.After(now) }

// atStake are the accounts at stake, by user, when their accounts are read.
type atStake struct {
	accounts map[string][]staked
	// confirmed is the present time, if Smile's clock confirms it; at the zero time no account has ended by itself.
	confirmed time.Time
}

// except returns those of a user that no later read has shown.
func (s atStake) except(userID string, later func(accountID string) bool) atStake {
	rest := slices.DeleteFunc(slices.Clone(s.accounts[userID]), func(one staked) bool { return later(one.id) })
	return atStake{map[string][]staked{userID: rest}, s.confirmed}
}

// misses reports whether an account at stake of a user is missing.
func (m *shared) misses(userID string, stake atStake) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(stake.accounts[userID], func(s staked) bool { return m.disappearances.missing[s.id] != nil })
}

// disappearances are the accounts at stake that Smile does not show as linked any more.
type disappearances struct {
	missing map[string]*missing
	// approved are accounts whose data may be erased however many they are, by the connection that approved it.
	approved map[types.NamespacedName]map[string]bool
	// since is when the first of them was found missing.
	since time.Time
	// known is how many accounts are at stake; 0 when they have not been counted yet.
	known int
	held  bool
}

type missing struct {
	userID string
	// waiting is when an object of the connection last asked to erase the data and was refused.
	waiting map[types.NamespacedName]time.Time
}

func newDisappearances() disappearances {
	return disappearances{missing: map[string]*missing{}, approved: map[types.NamespacedName]map[string]bool{}}
}

// notice compares what a read showed of a user's accounts with those that are at stake.
func (d *disappearances) notice(userID string, stake atStake, shown []smile.Account, now time.Time) {
	for _, a := range shown {
		if a.Connection.Status != smile.ConnectionDisconnected {
			d.back(a.ID)
		}
	}
	for _, s := range stake.accounts[userID] {
		linked := slices.ContainsFunc(shown, func(a smile.Account) bool {
			return a.ID == s.id && a.Connection.Status != smile.ConnectionDisconnected
		})
		if !linked && !isOver(s.until.time(), stake.confirmed) {
			d.miss(s.id, userID, now)
		}
	}
	d.judge()
}

// back records that an account is linked after all.
func (d *disappearances) back(accountID string) {
	delete(d.missing, accountID)
	for _, approved := range d.approved {
		delete(approved, accountID)
	}
}

func (d *disappearances) miss(accountID, userID string, now time.Time) *missing {
	if found := d.missing[accountID]; found != nil {
		return found
	}
	if len(d.missing) == 0 || now.Sub(d.since) > disappearingSpan && !d.anyWaiting(now) {
		clear(d.missing)
		d.since = now
	}
	found := &missing{userID: userID, waiting: map[types.NamespacedName]time.Time{}}
	d.missing[accountID] = found
	return found
}

func (d *disappearances) judge() {
	d.held = len(d.missing) >= fewDisappear && len(d.missing)*disappearingShare > d.known
}

func (d *disappearances) anyWaiting(now time.Time) bool {
	for _, found := range d.missing {
		for conn := range found.waiting {
			if found.waits(conn, now) {
				return true
			}
		}
	}
	return false
}

// waits reports whether an object of a connection still waits. One that was deleted does not ask again.
func (m *missing) waits(conn types.NamespacedName, now time.Time) bool {
	asked, ok := m.waiting[conn]
	return ok && now.Sub(asked) < heldFor
}

// MayErase reports, for an object of a connection, why the data of an account that a read did not show as linked may not be
// erased; nil when it may.
func (m *shared) MayErase(conn types.NamespacedName, userID, accountID string) error {
	m.countStaked()
	m.mu.Lock()
	defer m.mu.Unlock()
	d, now := &m.disappearances, m.set.Clock.Now()
	if d.approved[conn][accountID] {
		return nil
	}
	found := d.miss(accountID, userID, now)
	if d.judge(); d.held {
		found.waiting[conn] = now
		return MassDisappearance
	}
	delete(found.waiting, conn)
	return nil
}

// countStaked counts the accounts at stake when the number is needed and no listing has counted them.
func (m *shared) countStaked() {
	m.mu.Lock()
	matters := m.disappearances.known == 0 && len(m.disappearances.missing)+1 >= fewDisappear && m.set.Objects != nil
	var of members
	for name := range m.rounds.connections {
		of.names = append(of.names, name)
	}
	m.mu.Unlock()
	if !matters {
		return
	}
	lives, err := m.population(m.set.life, of)
	if err != nil {
		return // a synced cache does not fail, and without a count the data stays
	}
	_, known := lives.staked()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.disappearances.known = known
}

// ErasureHeld is why erasures on a connection wait for an approval; nil when none does.
func (m *shared) ErasureHeld(conn types.NamespacedName) *problem.Problem {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.set.Clock.Now()
	for _, found := range m.disappearances.missing {
		if found.waits(conn, now) {
			return MassDisappearance
		}
	}
	return nil
}

// ApproveErasure lets the objects of a connection erase the data of what is missing now, and wakes those that wait. It has no
// effect on the objects of other connections, for which the same accounts are still missing.
func (m *shared) ApproveErasure(conn types.NamespacedName) {
	m.mu.Lock()
	approved := map[string]bool{}
	var users []string
	for accountID, found := range m.disappearances.missing {
		approved[accountID] = true
		if _, waits := found.waiting[conn]; waits {
			delete(found.waiting, conn)
			users = append(users, found.userID)
		}
	}
	m.disappearances.approved[conn] = approved
	m.mu.Unlock()
	slices.Sort(users)
	m.tell(slices.Compact(users))
}
