package server

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

func listProviders(c *call) reply {
	ids := list(c.filter("ids"))
	wanted := func(p *fixtures.Provider) bool {
		return matches(p.Type, c.filter("type")) && matches(p.SubType, c.filter("subType")) &&
			c.is("active", p.Active) && c.is("enabled", p.Enabled) && c.is("accountConnection", p.AccountConnection) &&
			strings.Contains(strings.ToLower(p.Name), strings.ToLower(c.filter("name"))) &&
			(ids == nil || slices.Contains(ids, p.ID))
	}
	rows := placed(topFirst(fixtures.Providers, list(c.filter("topIds"))), c.paging.from)
	return paginate(c, rows, wanted, func(p *fixtures.Provider) any { return p })
}

func (c *call) is(name string, value bool) bool {
	return matches(strconv.FormatBool(value), c.filter(name))
}

func list(commas string) []string {
	if commas == "" {
		return nil
	}
	return strings.Split(commas, ",")
}

// topFirst moves the providers with these ids to the front, in their order.
func topFirst(all []*fixtures.Provider, ids []string) []*fixtures.Provider {
	rank := func(p *fixtures.Provider) int {
		if i := slices.Index(ids, p.ID); i >= 0 {
			return i
		}
		return len(ids)
	}
	return slices.SortedStableFunc(slices.Values(all), func(a, b *fixtures.Provider) int { return rank(a) - rank(b) })
}

func placed[T any](all []T, from place) iter.Seq2[place, T] {
	c := collection[T]{order: all}
	return c.after(from)
}

func getProvider(c *call) reply {
	if p := fixtures.ProviderByID(c.id()); p != nil {
		return ok(p)
	}
	return missing()
}
