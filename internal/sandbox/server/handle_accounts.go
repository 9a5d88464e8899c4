package server

import (
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

func listAccounts(c *call) reply {
	c.userID = c.filter("userId")
	start, end := c.filter("startDate"), c.filter("endDate")
	wanted := func(a *account) bool {
		return matches(a.owner.id, c.userID) && c.isVisible(a) && c.during(a.createdAt, start, end)
	}
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	return paginate(c, c.tenant.accounts.after(c.paging.from), wanted, func(a *account) any { return a.wire() })
}

// isVisible reports whether the API shows an account. A quirk decides whether
// it shows revoked ones.
func (c *call) isVisible(a *account) bool {
	return a.status != Disconnected || c.box.behavior.RevokedAccount != "404"
}

func getAccount(c *call) reply {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	a, found := c.tenant.accounts.byID[c.id()]
	if !found || !c.isVisible(a) {
		return missing()
	}
	c.userID = a.owner.id
	return ok(a.wire())
}

func deleteAccount(c *call) reply {
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	a, ok := c.tenant.accounts.byID[c.id()]
	if !ok || a.status == Disconnected {
		return c.deletedAlready(ok)
	}
	c.tenant.revokeAccount(a, c.now)
	c.userID, c.committed = a.owner.id, true
	return done()
}

// getAccountPayload returns all data of an account. Lists without items are
// empty. A single item that does not exist is null.
func getAccountPayload(c *call) reply {
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	a, found := c.tenant.accounts.byID[c.id()]
	if !found || a.status == Disconnected {
		return missing()
	}
	c.userID = a.owner.id
	payload := accountPayload{"metadata": payloadReference{a.id, "ACCOUNT", a.owner.id, a.provider.ID}}
	for _, d := range fixtures.Datapoints {
		items := []any{}
		for _, i := range c.box.linker.materialize(c.tenant, a, d.Path) {
			items = append(items, i.payload)
		}
		payload[d.Key] = items
		if d.Single {
			payload[d.Key] = append(items, nil)[0]
		}
	}
	return ok(payload)
}
