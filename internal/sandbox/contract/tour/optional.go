package tour

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// omitEach repeats a successful call without each of the fields of its body in
// turn. The sandbox must accept a body if the description does: then the field is
// optional, and the response is checked like any other.
func (t *tour) omitEach(o server.Operation, path, body string, accepted answer) {
	if body == "" || accepted.status >= http.StatusMultipleChoices {
		return
	}
	var whole any
	if json.Unmarshal([]byte(body), &whole) != nil {
		return
	}
	for _, omitted := range without(whole) {
		text, err := json.Marshal(omitted.rest)
		if err != nil {
			panic(err) // it was decoded from JSON
		}
		allowed := t.document.Allows(newRequest(o.Method, path, string(text)), text)
		a := t.call(o.Method, path, string(text), nil)
		if allowed && a.status >= http.StatusMultipleChoices && !needed[o.ID+" "+omitted.field] {
			t.report.Blame(a.operation, fmt.Sprintf("%s %s without the optional field %s: response %d %s",
				o.Method, path, omitted.field, a.status, a.message()))
		}
	}
}

// needed are fields that the vendor's description does not require by mistake: it
// names the files of an archive otherwise in the list of what is required.
var needed = map[string]bool{"create-archive rawFiles": true, "create-and-classify-archive rawFiles": true}

// omission is a JSON value without one of its fields.
type omission struct {
	field string
	rest  any
}

// without returns a value without each of its fields in turn, at any depth. Of a
// list, it omits fields of the first entry.
func without(value any) []omission {
	var all []omission
	switch whole := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(whole)) {
			rest := maps.Clone(whole)
			delete(rest, name)
			all = append(all, omission{name, rest})
			for _, inner := range without(whole[name]) {
				rest := maps.Clone(whole)
				rest[name] = inner.rest
				all = append(all, omission{name + "." + inner.field, rest})
			}
		}
	case []any:
		if len(whole) == 0 {
			return nil
		}
		for _, inner := range without(whole[0]) {
			rest := slices.Clone(whole)
			rest[0] = inner.rest
			all = append(all, omission{"0." + inner.field, rest})
		}
	}
	return all
}
