package server

import (
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

func listAccounts(c *call) reply {
	c.userID = c.filter("userId")
	start, end := c.filter("startDate"), c.filter("endDate")
	wanted := func(a *account) bool {
		return matches(a.owner.id, c.userID) && c.shows(a) && c.during(a.createdAt, start, end)
	}
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	return paginate(c, c.tenant.accounts.after(c.paging.from), wanted, func(a *account) any { return a.wire() })
}

// shows tells whether an account can be seen at all: whether one that was
// revoked can is a quirk.
func (c *call) shows(a *account) bool {
	return a.status != Disconnected || c.box.behaviour.RevokedAccount != "404"
}

func getAccount(c *call) reply {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	a, known := c.tenant.accounts.byID[c.id()]
	if !known || !c.shows(a) {
		return missing()
	}
	c.userID = a.owner.id
	return ok(a.wire())
}

func deleteAccount(c *call) reply {
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	a, known := c.tenant.accounts.byID[c.id()]
	if !known || a.status == Disconnected {
		return c.deletedAlready(known)
	}
	c.tenant.revoke(a, c.now)
	c.userID, c.committed = a.owner.id, true
	return done()
}

// getAccountPayload gives all data of an account at once. Lists are arrays,
// empty if there is nothing; what there is one of at most is null then.
func getAccountPayload(c *call) reply {
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	a, known := c.tenant.accounts.byID[c.id()]
	if !known || a.status == Disconnected {
		return missing()
	}
	c.userID = a.owner.id
	payload := accountPayload{"metadata": payloadReference{a.id, "ACCOUNT", a.owner.id, a.provider.ID}}
	for _, d := range fixtures.Datapoints {
		items := []any{}
		for _, i := range c.box.linker.harvest(c.tenant, a, d.Path) {
			items = append(items, i.payload)
		}
		payload[d.Key] = items
		if d.Single {
			payload[d.Key] = append(items, nil)[0]
		}
	}
	return ok(payload)
}
