package user

import (
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// minted is what this process knows of link tokens beyond the statuses: the tokens that could not be stored yet, and when the
// last token of each remote user was minted. The time is kept for as long as no other token may follow, even if the object is
// deleted.
type minted struct {
	mu      sync.Mutex
	lastOf  map[string]time.Time
	waiting map[types.NamespacedName]waitingToken
}

type waitingToken struct {
	uid    types.UID
	userID string
	token  issuedToken
}

// created records the token that came with a user. Without a user, the token is empty.
func (m *minted) created(user *v1alpha1.SmileUser, token smile.Token, now time.Time) {
	if token.AccessToken.Reveal() != "" && m.unstored(user) == nil {
		m.now(user, token, now)
	}
}

// now records a token that was minted and must be stored.
func (m *minted) now(user *v1alpha1.SmileUser, token smile.Token, at time.Time) *issuedToken {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lastOf == nil {
		m.lastOf, m.waiting = map[string]time.Time{}, map[types.NamespacedName]waitingToken{}
	}
	maps.DeleteFunc(m.lastOf, func(_ string, last time.Time) bool { return !last.Add(mintPause).After(at) })
	m.lastOf[user.Status.UserID] = at
	issued := issuedToken{tokenContent(user, token), at, token.ExpiresAt, renewAt(at, token.ExpiresAt, rand.Float64())}
	m.waiting[client.ObjectKeyFromObject(user)] = waitingToken{user.UID, user.Status.UserID, issued}
	return &issued
}

// last returns when the last token of a remote user was minted; zero if that is long ago or unknown.
func (m *minted) last(userID string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lastOf[userID]
}

// unstored returns the token of an object that must be stored; nil if there is none.
func (m *minted) unstored(user *v1alpha1.SmileUser) *issuedToken {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.waiting[client.ObjectKeyFromObject(user)]
	if !ok || found.uid != user.UID || found.userID != user.Status.UserID {
		return nil
	}
	return &found.token
}

// stored records that no token of an object is left to store.
func (m *minted) stored(user *v1alpha1.SmileUser) { m.forget(client.ObjectKeyFromObject(user)) }

func (m *minted) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.waiting, name)
}
