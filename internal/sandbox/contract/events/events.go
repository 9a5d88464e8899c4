// Package events checks the events for webhooks against the schemas that an OpenAPI 3.0
// description has for them. It uses another library than package contract, and none of
// its code, so that each can find what the other overlooks.
package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// address is where the converted schemas are for the library. Nothing is fetched.
const address = "mem:///description.json"

// Allowance is a point at which a description is stricter than its own examples.
type Allowance struct {
	// Field is a schema or a property of it, as in Account.monitor.status.
	Field string
	// Exactly one of these is set: the property may be absent, or null, or have this
	// value too.
	Optional, Nullable bool
	Value              string
}

// Validator checks events.
type Validator struct {
	schemas map[string]*jsonschema.Schema // by type of event
}

// Read reads the event schemas of a description. The schema of the type USER_CREATED has
// the name UserCreatedEvent.
func Read(text []byte, allowances []Allowance) (*Validator, error) {
	var document struct {
		Components struct {
			Schemas map[string]any `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Load(text, &document); err != nil {
		return nil, fmt.Errorf("the description cannot be read: %w", err)
	}
	schemas := document.Components.Schemas
	for _, a := range allowances {
		a.apply(schemas)
	}
	converted, err := asJSON(map[string]any{"components": map[string]any{"schemas": each(schemas, convert)}})
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(address, converted); err != nil {
		return nil, err
	}
	v := &Validator{map[string]*jsonschema.Schema{}}
	for name := range schemas {
		kind, isEvent := typeOf(name)
		if !isEvent {
			continue
		}
		if v.schemas[kind], err = compiler.Compile(address + "#/components/schemas/" + name); err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
	}
	return v, nil
}

// asJSON returns a value as the library wants it.
func asJSON(value any) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}

// typeOf returns the type of event that a schema describes: UserCreatedEvent is of
// USER_CREATED.
func typeOf(schema string) (string, bool) {
	name, isEvent := strings.CutSuffix(schema, "Event")
	var kind strings.Builder
	for i, letter := range name {
		if i > 0 && letter >= 'A' && letter <= 'Z' {
			kind.WriteByte('_')
		}
		kind.WriteRune(letter)
	}
	return strings.ToUpper(kind.String()), isEvent && name != ""
}

// Types lists the types of event that have a schema.
func (v *Validator) Types() []string { return slices.Sorted(maps.Keys(v.schemas)) }

// Check checks an event. The error says what contradicts its schema, or that it has none.
func (v *Validator) Check(event []byte) (kind string, err error) {
	var typed struct{ Type string }
	if err := json.Unmarshal(event, &typed); err != nil {
		return "", err
	}
	schema, found := v.schemas[typed.Type]
	if !found {
		return typed.Type, fmt.Errorf("the description has no schema for %s", typed.Type)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(event))
	if err != nil {
		return typed.Type, err
	}
	return typed.Type, schema.Validate(value)
}

// convert turns a schema of OpenAPI 3.0 into one of JSON Schema. Its keywords are a
// subset, except that nullable is a keyword, and that nothing counts beside $ref.
func convert(schema any) any {
	from, ok := schema.(map[string]any)
	if !ok {
		return schema // additionalProperties may be true or false
	}
	if ref, refers := from["$ref"]; refers {
		return map[string]any{"$ref": ref}
	}
	made := map[string]any{}
	for keyword, value := range from {
		switch keyword {
		case "properties":
			properties, _ := value.(map[string]any)
			made[keyword] = each(properties, convert)
		case "items", "additionalProperties", "not":
			made[keyword] = convert(value)
		case "allOf", "anyOf", "oneOf":
			made[keyword] = all(value, convert)
		case "type", "enum", "required", "format", "pattern", "minLength", "maxLength", "minimum", "maximum",
			"minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "multipleOf":
			made[keyword] = value
		}
	}
	if from["nullable"] == true {
		return map[string]any{"anyOf": []any{made, map[string]any{"type": "null"}}}
	}
	return made
}

func each(schemas map[string]any, change func(any) any) map[string]any {
	changed := map[string]any{}
	for name, schema := range schemas {
		changed[name] = change(schema)
	}
	return changed
}

func all(schemas any, change func(any) any) []any {
	list, _ := schemas.([]any)
	var changed []any
	for _, schema := range list {
		changed = append(changed, change(schema))
	}
	return changed
}

// apply changes the schemas. A field that they do not have changes nothing.
func (a Allowance) apply(schemas map[string]any) {
	owner := map[string]any{"properties": schemas}
	names := strings.Split(a.Field, ".")
	for _, name := range names[:len(names)-1] {
		properties, _ := owner["properties"].(map[string]any)
		if owner, _ = properties[name].(map[string]any); owner == nil {
			return
		}
	}
	name := names[len(names)-1]
	properties, _ := owner["properties"].(map[string]any)
	field, found := properties[name].(map[string]any)
	switch {
	case a.Optional:
		required, _ := owner["required"].([]any)
		owner["required"] = slices.DeleteFunc(slices.Clone(required), func(r any) bool { return r == name })
	case !found:
	case a.Nullable:
		properties[name] = map[string]any{"anyOf": []any{field}, "nullable": true}
	case a.Value != "":
		values, _ := field["enum"].([]any)
		field["enum"] = append(slices.Clone(values), a.Value)
	}
}
