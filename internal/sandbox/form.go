package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// form is what the body of a request may hold, field by field. Fields that the
// API does not know are ignored.
type form []formField

type formField struct {
	name     string
	required bool
	check    check
}

// check says what is wrong with a JSON value: where inside of it, "" for the
// value itself, and what.
type check func(raw json.RawMessage) *problem

// readForm reads a body that has to be there.
func readForm[T any](body []byte, wanted form) (T, *problem) {
	var value T
	if len(bytes.TrimSpace(body)) == 0 {
		return value, &problem{"body", "must be a JSON object"}
	}
	if wrong := aForm(wanted)(body); wrong != nil {
		if wrong.field == "" {
			wrong.field = "body"
		}
		return value, wrong
	}
	if err := json.Unmarshal(wanted.only(body), &value); err != nil {
		return value, &problem{"body", "cannot be read"}
	}
	return value, nil
}

// only is the JSON of an object without the fields that the form has not,
// whatever the case of their letters.
func (f form) only(object json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return object
	}
	for name := range fields {
		if !slices.ContainsFunc(f, func(known formField) bool { return known.name == name }) {
			delete(fields, name)
		}
	}
	return wire.Encode(fields)
}

// aForm checks an object. A field that is null is one that is absent.
func aForm(wanted form) check {
	return func(raw json.RawMessage) *problem {
		fields, wrong := readObject(raw, "")
		if wrong != nil {
			return wrong
		}
		for _, f := range wanted {
			value, given := fields[f.name]
			if !given || isNull(value) {
				if f.required {
					return &problem{f.name, "is missing"}
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

// inside is the problem seen from the object around the field.
func (p *problem) inside(name string) *problem {
	switch {
	case p.field == "":
		return &problem{name, p.text}
	case strings.HasPrefix(p.field, "["):
		return &problem{name + p.field, p.text}
	default:
		return &problem{name + "." + p.field, p.text}
	}
}

// aText checks a string's length, in characters, and what else is asked of it.
func aText(shortest, longest int, rules ...rule) check {
	return func(raw json.RawMessage) *problem {
		value, isString := readString(raw)
		if !isString {
			return &problem{"", "must be a string"}
		}
		if n := utf8.RuneCountInString(value); n < shortest || n > longest {
			return &problem{"", fmt.Sprintf("must have %d to %d characters", shortest, longest)}
		}
		for _, r := range rules {
			if wrong := r(value); wrong != "" {
				return &problem{"", wrong}
			}
		}
		return nil
	}
}

func oneOf(allowed ...string) rule {
	return func(value string) string {
		if !slices.Contains(allowed, value) {
			return "must be one of " + strings.Join(allowed, ", ")
		}
		return ""
	}
}

func anEmail(value string) string {
	parsed, err := mail.ParseAddress(value)
	if err != nil || parsed.Address != value {
		return "must be an e-mail address"
	}
	return ""
}

func withoutMarkup(value string) string {
	if strings.ContainsAny(value, "<>") {
		return "must not hold HTML"
	}
	return ""
}

func aBool(raw json.RawMessage) *problem {
	if text := string(raw); text != "true" && text != "false" {
		return &problem{"", "must be true or false"}
	}
	return nil
}

func onlyTrue(raw json.RawMessage) *problem {
	if string(raw) != "true" {
		return &problem{"", "must be true"}
	}
	return nil
}

// aList checks an array of at least some entries.
func aList(shortest int, entry check) check {
	return func(raw json.RawMessage) *problem {
		var entries []json.RawMessage
		if err := json.Unmarshal(raw, &entries); err != nil {
			return &problem{"", "must be a list"}
		}
		if len(entries) < shortest {
			return &problem{"", "must not be empty"}
		}
		for i, e := range entries {
			if wrong := entry(e); wrong != nil {
				return wrong.inside(fmt.Sprintf("[%d]", i))
			}
		}
		return nil
	}
}
