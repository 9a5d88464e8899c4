package mirror

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// If a few accounts disappear or are disconnected, people have withdrawn their consent. If many do at once, a mistake is more
// likely: at Smile, in a rotation of keys, or in the operator. Then nothing is erased until somebody approves it.
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

// guard holds the erasure of data if many accounts at stake disappear at once.
type guard struct {
	clock clock.PassiveClock
	// wake wakes the objects of these users.
	wake func(userIDs []string)
	// count counts the accounts at stake in the cache; ok is false if it cannot.
	count func() (total int, ok bool)

	mu sync.Mutex
	// missing are the accounts at stake that Smile does not show as linked any more, by id.
	missing map[string]*missing
	// since is when the first of them was found missing.
	since time.Time
	// total is how many accounts are at stake; 0 if they were not counted yet.
	total int
	// approved are accounts whose data may be erased in any case, by the connection for which that was approved.
	approved map[types.NamespacedName]map[string]bool
}

type missing struct {
	userID string
	// waiting is when an object of the connection last asked to erase the data and was refused.
	waiting map[types.NamespacedName]time.Time
}

func newGuard(clock clock.PassiveClock) *guard {
	return &guard{
		clock: clock, wake: func([]string) {}, count: func() (int, bool) { return 0, false },
		missing: map[string]*missing{}, approved: map[types.NamespacedName]map[string]bool{},
	}
}

// observe compares the accounts of a user that a read showed with those that are at stake.
func (g *guard) observe(userID string, stake atStake, shown []smile.Account) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range shown {
		if a.Connection.Status != smile.ConnectionDisconnected {
			g.back(a.ID)
		}
	}
	for _, s := range stake.accounts[userID] {
		linked := slices.ContainsFunc(shown, func(a smile.Account) bool {
			return a.ID == s.id && a.Connection.Status != smile.ConnectionDisconnected
		})
		if !linked && !isOver(s.until.time(), stake.confirmed) {
			g.miss(s.id, userID)
		}
	}
}

// back records that an account is linked after all.
func (g *guard) back(accountID string) {
	delete(g.missing, accountID)
	for _, approved := range g.approved {
		delete(approved, accountID)
	}
}

// miss records that an account is missing. The first one after a quiet time starts the count again.
func (g *guard) miss(accountID, userID string) *missing {
	if found := g.missing[accountID]; found != nil {
		return found
	}
	now := g.clock.Now()
	if len(g.missing) == 0 || now.Sub(g.since) > disappearingSpan && !g.anyWaiting(now) {
		clear(g.missing)
		g.since = now
	}
	found := &missing{userID: userID, waiting: map[types.NamespacedName]time.Time{}}
	g.missing[accountID] = found
	return found
}

func (g *guard) anyWaiting(now time.Time) bool {
	for _, found := range g.missing {
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

// tooMany reports whether so many accounts are missing that their data is held.
func (g *guard) tooMany() bool {
	return len(g.missing) >= fewDisappear && len(g.missing)*disappearingShare > g.total
}

// misses reports whether an account at stake of a user is missing.
func (g *guard) misses(userID string, stake atStake) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(stake.accounts[userID], func(s staked) bool { return g.missing[s.id] != nil })
}

func (g *guard) setTotal(total int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total = total
}

// MayErase returns, for an object of a connection, why the data of an account that a read did not show as linked may not be
// erased; nil if it may.
func (g *guard) MayErase(conn types.NamespacedName, userID, accountID string) error {
	g.ensureTotal()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.approved[conn][accountID] {
		return nil
	}
	found := g.miss(accountID, userID)
	if g.tooMany() {
		found.waiting[conn] = g.clock.Now()
		return MassDisappearance
	}
	delete(found.waiting, conn)
	return nil
}

// ensureTotal counts the accounts at stake if the number matters and no poll has counted them. If they cannot be counted, the
// data stays.
func (g *guard) ensureTotal() {
	g.mu.Lock()
	matters := g.total == 0 && len(g.missing)+1 >= fewDisappear
	g.mu.Unlock()
	if !matters {
		return
	}
	if total, ok := g.count(); ok {
		g.setTotal(total)
	}
}

// ErasureHeld is why erasures on a connection wait for an approval; nil if none does.
func (g *guard) ErasureHeld(conn types.NamespacedName) *problem.Problem {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	for _, found := range g.missing {
		if found.waits(conn, now) {
			return MassDisappearance
		}
	}
	return nil
}

// ApproveErasure lets the objects of a connection erase the data of what is missing now, and wakes those that wait. It has no
// effect on the objects of other connections, for which the same accounts are still missing.
func (g *guard) ApproveErasure(conn types.NamespacedName) {
	users := g.approve(conn)
	slices.Sort(users)
	g.wake(slices.Compact(users))
}

// approve returns the users with data that waited.
func (g *guard) approve(conn types.NamespacedName) (users []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	approved := map[string]bool{}
	for accountID, found := range g.missing {
		approved[accountID] = true
		if _, waits := found.waiting[conn]; waits {
			delete(found.waiting, conn)
			users = append(users, found.userID)
		}
	}
	g.approved[conn] = approved
	return users
}
