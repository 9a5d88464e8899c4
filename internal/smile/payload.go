package smile

import (
	"bytes"
	"context"
	"encoding/json"
)

// AccountPayload is all data of an account.
type AccountPayload struct {
	Source Source
	// Items are the items of each datapoint that the account has.
	Items map[Datapoint][]Item
	// Cut are the datapoints with more items than the response contains.
	Cut map[Datapoint]bool
}

// AccountPayload returns all data of an account in one call.
func (c *Client) AccountPayload(ctx context.Context, id string) (AccountPayload, error) {
	if !validID(id) {
		return AccountPayload{}, invalidArgument("id", ProblemBadID)
	}
	payload, err := fetch[payloadWire](ctx, c, call{
		operation: opAccountPayload, path: []string{"accounts", id, "payload"},
	})
	if err != nil {
		return AccountPayload{}, err
	}
	if !agree(id, payload.Source.SourceID) {
		return AccountPayload{}, unusable(opAccountPayload, ProblemWrongObject)
	}
	return payload, nil
}

type payloadWire map[string]json.RawMessage

func (w payloadWire) domain() (AccountPayload, error) {
	metadata := w["metadata"]
	if isNull(metadata) {
		metadata = json.RawMessage("{}")
	}
	wire, err := decode[sourceWire](metadata)
	if err != nil {
		return AccountPayload{}, err
	}
	source, err := wire.domain()
	payload := AccountPayload{Source: source, Items: map[Datapoint][]Item{}, Cut: map[Datapoint]bool{}}
	for _, point := range datapoints {
		if err != nil {
			return AccountPayload{}, err
		}
		if data := w[point.payloadKey]; !isNull(data) {
			err = payload.add(point, data)
		}
	}
	return payload, err
}

func (p AccountPayload) add(point datapoint, data json.RawMessage) error {
	items, cut, err := readItems(data)
	p.Items[point.name] = items
	if cut {
		p.Cut[point.name] = true
	}
	return err
}

// readItems reads a list. The API writes it in three ways: as an array, as a page,
// or, if there is never more than one item, as the item itself.
func readItems(data json.RawMessage) (items []Item, cut bool, err error) {
	wires, cut, err := itemWires(data)
	if err != nil {
		return nil, false, err
	}
	items = make([]Item, len(wires))
	for i, wire := range wires {
		if items[i], err = wire.domain(); err != nil {
			return nil, false, err
		}
	}
	return items, cut, nil
}

func itemWires(data json.RawMessage) (wires []itemWire, cut bool, err error) {
	if !isArray(data) {
		page, err := decode[struct {
			NextCursor string          `json:"nextCursor"`
			Items      json.RawMessage `json:"items"`
		}](data)
		if err != nil || page.Items == nil {
			return []itemWire{{content: data}}, false, err
		}
		data, cut = page.Items, page.NextCursor != ""
	}
	wires, err = decode[[]itemWire](data)
	return wires, cut, err
}

func isArray(data json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) }
