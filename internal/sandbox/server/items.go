package server

import (
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
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
		for _, d := range fixtures.Datapoints {
			if slices.Contains(a.provider.Supported, d.Name) {
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
func (l *linker) gather(t *tenant, a *account, d fixtures.Datapoint) {
	brought := a.person.Items(d.Path, a.provider.ID)
	if a.harvested > 0 {
		brought = fixtures.NextMonth(brought, a.harvested)
	}
	for _, from := range brought {
		id := d.Prefix + l.ids.Derive(a.id, d.Path, strconv.Itoa(len(a.items[d.Path])))
		made := &item{id: id, path: d.Path, on: from.On, payload: withID(id, from.Mark(l.canaries)), account: a, createdAt: a.refreshes[a.harvested], refresh: a.harvested}
		a.items[d.Path] = append(a.items[d.Path], made)
		t.items[id] = made
	}
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
