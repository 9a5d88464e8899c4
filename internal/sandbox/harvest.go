package sandbox

import (
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// item is an account's copy of a template.
type item struct {
	id        string
	path      string
	on        string
	payload   json.RawMessage // with its id, without metadata
	account   *account
	createdAt time.Time
	refresh   int // which of the account's brought it
}

// wire is the payload with the metadata as one more key.
func (i *item) wire() json.RawMessage {
	metadata := wire.Encode(i.account.reference(i.createdAt))
	text := append(slices.Clone(i.payload[:len(i.payload)-1]), `,"metadata":`...)
	return append(append(text, metadata...), '}')
}

// harvest gives the items of a data point of an account, making them when they
// are read for the first time: bulk seeded accounts would cost too much
// otherwise. The caller holds mu for writing.
func (l *linker) harvest(t *tenant, a *account, path string) []*item {
	first := a.harvested == 0 && len(a.refreshes) > 0
	for a.harvested < len(a.refreshes) {
		for _, d := range datapoints {
			if slices.Contains(a.provider.Supported, d.name) {
				l.gather(t, a, d)
			}
		}
		a.harvested++
	}
	if first {
		t.keep(a)
	}
	return a.items[path]
}

// gather adds what one refresh brought: the first all that the provider holds
// on the person, each later one the next month of what recurs.
func (l *linker) gather(t *tenant, a *account, d datapoint) {
	brought := a.person.items(d.path, a.provider.ID)
	if a.harvested > 0 {
		brought = nextMonth(brought, a.harvested)
	}
	for _, from := range brought {
		id := d.prefix + l.ids.Derive(a.id, d.path, strconv.Itoa(len(a.items[d.path])))
		made := &item{id: id, path: d.path, on: from.on, payload: withID(id, from.mark(l.canaries)), account: a, createdAt: a.refreshes[a.harvested], refresh: a.harvested}
		a.items[d.path] = append(a.items[d.path], made)
		t.items[id] = made
	}
}

// nextMonth is the template with the last date, n months later, if templates
// like these recur.
func nextMonth(known []template, n int) []template {
	if len(known) == 0 {
		return nil
	}
	last := slices.MaxFunc(known, func(a, b template) int { return strings.Compare(a.on, b.on) })
	if _, recurs := last.value.(recurring); !recurs {
		return nil
	}
	return []template{last.grown(n)}
}

// withID puts the id in front of an item's fields.
func withID(id string, fields json.RawMessage) json.RawMessage {
	text := append([]byte(`{"id":`), strconv.Quote(id)...)
	return append(append(text, ','), fields[1:]...)
}

// harvestAll walks the items of one data point over accounts, from a place on.
func (l *linker) harvestAll(t *tenant, accounts []*account, path string, from place) iter.Seq2[place, *item] {
	return func(yield func(place, *item) bool) {
		for _, a := range accounts {
			if a.ordinal < from.major {
				continue
			}
			for n, i := range l.harvest(t, a, path) {
				if a.ordinal == from.major && n < from.minor {
					continue
				}
				if !yield(place{a.ordinal, n + 1}, i) {
					return
				}
			}
		}
	}
}
