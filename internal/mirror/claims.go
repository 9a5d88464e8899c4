package mirror

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Claim names the object that holds a remote user.
type Claim struct {
	Object types.NamespacedName
	UID    types.UID
}

// claims are the claims of an API account, by the id of the remote user.
type claims struct {
	mu     sync.Mutex
	byUser map[string]Claim
}

func newClaims() *claims { return &claims{byUser: map[string]Claim{}} }

// Claim gives a remote user to an object, unless another object has it. It returns the claim that holds afterwards.
func (c *claims) Claim(userID string, by Claim) Claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	if holder, ok := c.byUser[userID]; ok && holder.UID != by.UID {
		return holder
	}
	c.byUser[userID] = by
	return by
}

// Unclaim ends the claim of a holder that no longer has the remote user. Another holder's claim stays.
func (c *claims) Unclaim(userID string, by Claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byUser[userID] == by {
		delete(c.byUser, userID)
	}
}

// forget drops the claims of an object that was deleted.
func (c *claims) forget(object types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for userID, holder := range c.byUser {
		if holder.Object == object {
			delete(c.byUser, userID)
		}
	}
}
