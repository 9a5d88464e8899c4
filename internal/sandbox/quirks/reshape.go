package quirks

import (
	"bytes"
	"encoding/json"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// shape changes a JSON object of a response or an event in place.
type shape func(object map[string]any)

// AddedLaterField and addedLater are the names of unknown fields and values.
const (
	AddedLaterField = "addedLater"
	addedLater      = "ADDED_LATER"
)

// reshapes are the quirks that change how objects are written, by name and value.
var reshapes = map[string]map[string]shape{
	"nulls": {"absent": dropNulls},
	"last-cursor": {
		"empty":  lastCursor(func(o map[string]any) { o["nextCursor"] = "" }),
		"absent": lastCursor(dropping("nextCursor")),
	},
	"user-providers": {
		"empty":  ofUsers(func(o map[string]any) { o["providers"] = []any{} }),
		"absent": ofUsers(dropping("providers")),
	},
	"item-created-at": {"absent": dropping("itemCreatedAt")},
	"eincome-amount":  {"amount": ofEincomes(dropping("baseAmount")), "base": ofEincomes(dropping("amount"))},
	"extra-fields":    {"on": extraField},
	"future":          {"on": future},
	"unknown-enums":   {"on": unknownEnums},
}

func dropNulls(object map[string]any) {
	for name, value := range object {
		if value == nil {
			delete(object, name)
		}
	}
}

func dropping(field string) shape {
	return func(object map[string]any) { delete(object, field) }
}

func lastCursor(then shape) shape {
	return func(object map[string]any) {
		if value, there := object["nextCursor"]; there && value == nil {
			then(object)
		}
	}
}

// having applies a shape to objects with these fields.
func having(first, second string, then shape) shape {
	return func(object map[string]any) {
		_, one := object[first]
		_, two := object[second]
		if one && two {
			then(object)
		}
	}
}

func ofUsers(then shape) shape    { return having("externalMetadata", "providers", then) }
func ofEincomes(then shape) shape { return having("month", "baseAmount", then) }

// openEnums are fields and lists that may get new values.
var openEnums = []string{"gender", "maritalStatus", "frequency", "channel", "subType", "documentType", "supported", "datapoints"}

func unknownEnums(object map[string]any) {
	for _, name := range openEnums {
		switch value := object[name].(type) {
		case string:
			object[name] = addedLater
		case []any:
			object[name] = append(value, addedLater)
		}
	}
}

// Reshapes reports whether a quirk changes shapes.
func (b *Behavior) Reshapes() bool { return len(b.shapes) > 0 }

// Reshape applies the quirks to JSON. It costs nothing if no quirk changes shapes.
func (b *Behavior) Reshape(text json.RawMessage) json.RawMessage {
	if !b.Reshapes() {
		return text
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return text
	}
	b.apply(value)
	return wire.Encode(value)
}

func (b *Behavior) apply(value any) {
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			b.apply(one)
		}
	case map[string]any:
		for name, one := range value {
			if name != "externalMetadata" { // the tenant's data, not the API's
				b.apply(one)
			}
		}
		for _, change := range b.shapes {
			change(value)
		}
	}
}

// ReshapeValue returns the value itself if no quirk changes shapes, and otherwise
// its changed JSON.
func (b *Behavior) ReshapeValue(value any) any {
	if !b.Reshapes() || value == nil {
		return value
	}
	return b.Reshape(wire.Encode(value))
}
