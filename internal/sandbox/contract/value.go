package contract

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

// CheckValue compares a JSON value with a component of the description. It is
// for values that are not the body of a call: lines of a stream, events. It
// returns one sentence per contradiction.
func (d *Document) CheckValue(component string, text []byte) ([]string, error) {
	ref := d.spec.Components.Schemas[component]
	if ref == nil {
		return nil, fmt.Errorf("the description has no schema %s", component)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	options := []openapi3.SchemaValidationOption{openapi3.MultiErrors(), openapi3.VisitAsResponse()}
	if d.spec.IsOpenAPI31OrLater() {
		options = append(options, openapi3.EnableJSONSchema2020())
	}
	return flatten(ref.Value.VisitJSON(value, options...)), nil
}
