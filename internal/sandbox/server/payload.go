package server

import (
	"net/url"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

// maxPayloadItems is how many items of a data point an event or a user's
// payload contains. The lists have the rest.
const maxPayloadItems = 300

// pagedItems is a list inside a payload. NextCursor continues in the list of
// the data point, filtered by sourceId.
type pagedItems struct {
	NextCursor *string `json:"nextCursor"`
	Items      []any   `json:"items"`
}

// sourcePayload is all data of a task's account, nil if there is none. The
// caller holds mu for writing.
func (t *tenant) sourcePayload(of *task) any {
	if of.account == nil || of.account.status == Disconnected {
		return nil
	}
	return t.payload(of.account)
}

// payload is all data of an account. Data points without data are null.
func (t *tenant) payload(a *account) map[string]any {
	all := noPayload()
	for _, d := range fixtures.Datapoints {
		items := t.box.linker.materialize(t, a, d.Path)
		switch {
		case len(items) == 0:
		case d.Single:
			all[d.Key] = items[0].payload
		default:
			all[d.Key] = t.firstItems(a, d, items)
		}
	}
	return all
}

// noPayload is a payload without data.
func noPayload() map[string]any {
	none := map[string]any{}
	for _, d := range fixtures.Datapoints {
		none[d.Key] = nil
	}
	return none
}

func (t *tenant) firstItems(a *account, d fixtures.Datapoint, items []*item) pagedItems {
	shown := pagedItems{Items: []any{}}
	for i, one := range items {
		if i == maxPayloadItems {
			cursor := place{a.ordinal, i}.cursor(t.box.ids, listing(d.List, t.pair.Key, url.Values{"sourceId": {a.id}}))
			shown.NextCursor = &cursor
			break
		}
		shown.Items = append(shown.Items, one.payload)
	}
	return shown
}
