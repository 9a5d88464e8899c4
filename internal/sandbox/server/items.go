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
	refresh   int // the number of the refresh that brought it
}

// wire is the payload with the metadata.
func (i *item) wire() json.RawMessage {
	metadata := wire.Encode(i.account.reference(i.createdAt))
	text := append(slices.Clone(i.payload[:len(i.payload)-1]), `,"metadata":`...)
	return append(append(text, metadata...), '}')
}

// materialize returns the items of a data point of an account. It creates them
// when they are first read, because creating those of all seeded accounts would
// be expensive. The caller holds mu for writing.
func (l *linker) materialize(t *tenant, a *account, path string) []*item {
	first := a.materialized == 0 && len(a.refreshes) > 0
	for a.materialized < len(a.refreshes) {
		for _, d := range fixtures.Datapoints {
			if slices.Contains(a.supported(), d.Name) {
				l.addItems(t, a, d)
			}
		}
		a.materialized++
	}
	if first {
		t.keep(a)
	}
	return a.items[path]
}

// addItems adds what one refresh brought: the first one everything that the
// provider knows about the person, each later one the next month of recurring
// items.
func (l *linker) addItems(t *tenant, a *account, d fixtures.Datapoint) {
	brought := a.person.Items(d.Path, a.provider.ID)
	if a.materialized > 0 {
		brought = fixtures.NextMonth(brought, a.materialized)
	}
	for _, from := range brought {
		id := d.Prefix + l.ids.Derive(a.id, d.Path, strconv.Itoa(len(a.items[d.Path])))
		made := &item{
			id: id, path: d.Path, on: from.On, payload: withID(id, from.Mark(l.canaries)), account: a,
			createdAt: a.refreshes[a.materialized], refresh: a.materialized,
		}
		a.items[d.Path] = append(a.items[d.Path], made)
		t.items[id] = made
	}
}

// withID adds the id in front of an item's fields.
func withID(id string, fields json.RawMessage) json.RawMessage {
	text := append([]byte(`{"id":`), strconv.Quote(id)...)
	return append(append(text, ','), fields[1:]...)
}

// itemsFrom iterates over the items of one data point of accounts, after a
// place.
func (l *linker) itemsFrom(t *tenant, accounts []*account, path string, from place) iter.Seq2[place, *item] {
	return func(yield func(place, *item) bool) {
		for _, a := range accounts {
			if a.ordinal < from.major {
				continue
			}
			for n, i := range l.materialize(t, a, path) {
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
