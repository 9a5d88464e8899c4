package server

import (
	"cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

// listItems lists the items of a data point: of the whole tenant, or of one
// user or account.
func listItems(d fixtures.Datapoint) func(*call) reply {
	return func(c *call) reply {
		c.userID = c.filter("userId")
		start := cmp.Or(c.filter("startDate"), c.filter("startMonth"))
		end := cmp.Or(c.filter("endDate"), c.filter("endMonth"))
		wanted := func(i *item) bool { return between(i.on, start, end) }
		c.tenant.mu.Lock()
		defer c.tenant.mu.Unlock()
		rows := c.box.linker.itemsFrom(c.tenant, c.sources(), d.Path, c.paging.from)
		return paginate(c, rows, wanted, func(i *item) any { return i.wire() })
	}
}

// sources are the accounts that the filters select, in the order of linking.
func (c *call) sources() []*account {
	accounts := c.tenant.accounts.order
	if u, given := c.filter("userId"), c.filter("userId") != ""; given {
		accounts = nil
		if owner, ok := c.tenant.users.byID[u]; ok {
			accounts = owner.accounts
		}
	}
	for _, name := range []string{"sourceId", "accountId"} {
		if id := c.filter(name); id != "" {
			accounts = only(accounts, c.tenant.accounts.byID[id])
		}
	}
	return accounts
}

// only returns the account alone if it is one of accounts, and otherwise
// nothing.
func only(accounts []*account, wanted *account) []*account {
	for _, a := range accounts {
		if a == wanted {
			return []*account{a}
		}
	}
	return nil
}

func getItem(d fixtures.Datapoint) func(*call) reply {
	return func(c *call) reply {
		c.tenant.mu.RLock()
		defer c.tenant.mu.RUnlock()
		i, found := c.tenant.items[c.id()]
		if !found || i.path != d.Path {
			return missing()
		}
		c.userID = i.account.owner.id
		return ok(i.wire())
	}
}
