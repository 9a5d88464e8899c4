package mirror

import (
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// A few accounts that disappear are people who have changed their mind. Many at once are a mistake: of Smile, of
// whoever swapped the keys, or ours. Then nothing is erased until a person has looked.
const (
	fewVanish   = 10 // fewer than this never hold anything up
	vanishShare = 20 // one in so many may vanish
	vanishSpan  = 15 * time.Minute
)

// vanished are the accounts that reads no longer showed.
type vanished struct {
	// users of these accounts, by account.
	users map[string]string
	// approved are accounts that may be taken for gone, however many they are.
	approved map[string]bool
	// since is when the first of them was missed.
	since time.Time
	// known is how many accounts there were when all were listed last.
	known int
	held  bool
}

var errVanished = engine.NewInvalid(v1alpha1.ReasonMassDisappearance,
	"many accounts vanished at Smile at once: their data is kept until the annotation "+v1alpha1.AnnotationApproveErasure+
		" on the SmileConnection approves its erasure, or Smile shows the accounts again").After(time.Hour)

// notice compares what a read showed of a user's accounts with what there was before.
func (m *Mirror) notice(userID string, before []string, shown []smile.Account) {
	for _, a := range shown {
		delete(m.vanished.users, a.ID)
	}
	for _, id := range before {
		if !slices.ContainsFunc(shown, func(a smile.Account) bool { return a.ID == id }) {
			m.vanished.miss(id, userID, m.set.Clock.Now())
		}
	}
	m.vanished.judge()
}

func (v *vanished) miss(accountID, userID string, now time.Time) {
	if v.approved[accountID] {
		return
	}
	if len(v.users) == 0 || !v.held && now.Sub(v.since) > vanishSpan {
		clear(v.users)
		v.since = now
	}
	v.users[accountID] = userID
}

func (v *vanished) judge() {
	v.held = len(v.users) >= fewVanish && len(v.users)*vanishShare > v.known
}

// MayErase tells why the data of an account that a read no longer showed may not be erased; nil when it may.
func (m *Mirror) MayErase(userID, accountID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.vanished.miss(accountID, userID, m.set.Clock.Now())
	m.vanished.judge()
	if m.vanished.held && !m.vanished.approved[accountID] {
		return errVanished
	}
	return nil
}

// ErasureHeld tells whether the erasure of what has vanished waits for an approval.
func (m *Mirror) ErasureHeld() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.vanished.held
}

// ApproveErasure takes what has vanished for gone, and wakes whoever holds data of it.
func (m *Mirror) ApproveErasure() {
	m.mu.Lock()
	clear(m.vanished.approved)
	var users []string
	for accountID, userID := range m.vanished.users {
		m.vanished.approved[accountID] = true
		users = append(users, userID)
	}
	clear(m.vanished.users)
	m.vanished.held = false
	m.mu.Unlock()
	slices.Sort(users)
	m.tell(slices.Compact(users))
}
