package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// shape changes a JSON object of an answer or an event in place.
type shape func(object map[string]any)

// addedLater is what unknown fields and values are called.
const (
	addedLaterField = "addedLater"
	addedLater      = "ADDED_LATER"
)

// reshapes are the quirks that change how objects are written, by name and value.
var reshapes = map[string]map[string]shape{
	"nulls":           {"absent": dropNulls},
	"last-cursor":     {"empty": lastCursor(func(o map[string]any) { o["nextCursor"] = "" }), "absent": lastCursor(dropping("nextCursor"))},
	"user-providers":  {"empty": ofUsers(func(o map[string]any) { o["providers"] = []any{} }), "absent": ofUsers(dropping("providers"))},
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

// openEnums are fields and lists whose values a client must not rely on to know.
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

// reshape rewrites JSON as the quirks have it, at no cost when they have nothing.
func (b *behaviour) reshape(text json.RawMessage) json.RawMessage {
	if len(b.shapes) == 0 {
		return text
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return text
	}
	b.walk(value)
	return wire.Encode(value)
}

func (b *behaviour) walk(value any) {
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			b.walk(one)
		}
	case map[string]any:
		for name, one := range value {
			if name != "externalMetadata" { // the tenant's own, not the API's
				b.walk(one)
			}
		}
		for _, change := range b.shapes {
			change(value)
		}
	}
}

// dress is the data and the code of an answer as the quirks have them.
func (b *behaviour) dress(answer reply) reply {
	if answer.status == http.StatusCreated {
		answer.code = b.createdCode
	}
	if len(b.shapes) > 0 && answer.data != nil && answer.status < http.StatusBadRequest {
		answer.data = b.reshape(wire.Encode(answer.data))
	}
	return answer
}
