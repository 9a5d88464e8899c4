// Package validate checks what requests contain, with the messages that the API
// sends: bodies against forms, and query parameters against rules.
package validate

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// Form lists the fields that the body of a request may have. Other fields are
// ignored.
type Form []Field

// Field is a field of a form.
type Field struct {
	name     string
	required bool
	check    Check
}

// Required is a field that must be there and must not be null.
func Required(name string, value Check) Field { return Field{name, true, value} }

// Optional is a field that may be absent or null.
func Optional(name string, value Check) Field { return Field{name, false, value} }

// Check returns the problem of a JSON value, nil if there is none. The problem's
// field is a path inside the value, "" for the value itself.
type Check func(raw json.RawMessage) *Problem

// ReadForm reads a body, which must not be absent.
func ReadForm[T any](body []byte, wanted Form) (T, *Problem) {
	var value T
	if len(bytes.TrimSpace(body)) == 0 {
		return value, Wrong("body", "must be a JSON object")
	}
	if wrong := Object(wanted)(body); wrong != nil {
		if wrong.Field == "" {
			wrong.Field = "body"
		}
		return value, wrong
	}
	if err := json.Unmarshal(wanted.only(body), &value); err != nil {
		return value, Wrong("body", "cannot be read")
	}
	return value, nil
}

// only returns the JSON of an object without the fields that the form does not
// have. Field names are case-sensitive here; encoding/json ignores case.
func (f Form) only(object json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return object
	}
	for name := range fields {
		if !slices.ContainsFunc(f, func(known Field) bool { return known.name == name }) {
			delete(fields, name)
		}
	}
	return wire.Encode(fields)
}

// Object checks an object. A field that is null counts as absent.
func Object(wanted Form) Check {
	return func(raw json.RawMessage) *Problem {
		fields, wrong := readObject(raw, "")
		if wrong != nil {
			return wrong
		}
		for _, f := range wanted {
			value, given := fields[f.name]
			if !given || isNull(value) {
				if f.required {
					return Wrong(f.name, "is missing")
				}
				continue
			}
			if wrong := f.check(value); wrong != nil {
				return wrong.inside(f.name)
			}
		}
		return nil
	}
}

// inside returns the problem with its path prefixed by the name of the field
// around it.
func (p *Problem) inside(name string) *Problem {
	switch {
	case p.Field == "":
		return Wrong(name, p.Text)
	case strings.HasPrefix(p.Field, "["):
		return Wrong(name+p.Field, p.Text)
	default:
		return Wrong(name+"."+p.Field, p.Text)
	}
}

// Text checks a string: its length, in characters, and the rules.
func Text(shortest, longest int, rules ...Rule) Check {
	return func(raw json.RawMessage) *Problem {
		value, isString := readString(raw)
		if !isString {
			return Wrong("", "must be a string")
		}
		if n := utf8.RuneCountInString(value); n < shortest || n > longest {
			return Wrong("", fmt.Sprintf("must have %d to %d characters", shortest, longest))
		}
		for _, r := range rules {
			if wrong := r(value); wrong != "" {
				return Wrong("", wrong)
			}
		}
		return nil
	}
}

// OneOf allows only these values.
func OneOf(allowed ...string) Rule {
	return func(value string) string {
		if !slices.Contains(allowed, value) {
			return "must be one of " + strings.Join(allowed, ", ")
		}
		return ""
	}
}

// Email allows an e-mail address without a name.
func Email(value string) string {
	parsed, err := mail.ParseAddress(value)
	if err != nil || parsed.Address != value {
		return "must be an e-mail address"
	}
	return ""
}

// NoMarkup forbids HTML.
func NoMarkup(value string) string {
	if strings.ContainsAny(value, "<>") {
		return "must not hold HTML"
	}
	return ""
}

// Bool checks a boolean.
func Bool(raw json.RawMessage) *Problem {
	if text := string(raw); text != "true" && text != "false" {
		return Wrong("", "must be true or false")
	}
	return nil
}

// True checks a boolean that must be true.
func True(raw json.RawMessage) *Problem {
	if string(raw) != "true" {
		return Wrong("", "must be true")
	}
	return nil
}

// List checks an array of at least that many entries.
func List(shortest int, entry Check) Check {
	return func(raw json.RawMessage) *Problem {
		var entries []json.RawMessage
		if err := json.Unmarshal(raw, &entries); err != nil {
			return Wrong("", "must be a list")
		}
		if len(entries) < shortest {
			return Wrong("", "must not be empty")
		}
		for i, e := range entries {
			if wrong := entry(e); wrong != nil {
				return wrong.inside(fmt.Sprintf("[%d]", i))
			}
		}
		return nil
	}
}

// Number checks a number.
func Number(raw json.RawMessage) *Problem {
	var value *json.Number
	if err := json.Unmarshal(raw, &value); err != nil || value == nil || len(raw) > 0 && raw[0] == '"' {
		return Wrong("", "must be a number")
	}
	return nil
}

// Base64 checks the base64 of a file of at most that many bytes.
func Base64(largest int) Check {
	return func(raw json.RawMessage) *Problem {
		text, isString := readString(raw)
		content, err := base64.StdEncoding.DecodeString(text)
		switch {
		case !isString || err != nil || len(content) == 0:
			return Wrong("", "must be a file in base64")
		case len(content) > largest:
			return Wrong("", fmt.Sprintf("must not be larger than %d bytes", largest))
		}
		return nil
	}
}
