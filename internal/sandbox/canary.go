package sandbox

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// canaries marks what must not leak: every personal field, access token and
// error message gets a text of its own, PREFIX-field-random, that a test can
// look for in logs, events and metrics. An empty prefix turns it off.
type canaries struct {
	prefix string
	ids    *idSource

	mu   sync.Mutex
	made []string
}

// new is a canary for a field, or "" when there are none.
func (c *canaries) new(field string) string {
	if c.prefix == "" {
		return ""
	}
	canary := c.prefix + "-" + c.ids.next(field + "-")[:len(field)+1+12]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, canary)
	return canary
}

func (c *canaries) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, slices.Clone(c.made)...)
}

func (c *canaries) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = nil
}

// in puts a canary into a value, keeping the looks of addresses.
func (c *canaries) in(field, value string) string {
	canary := c.new(field)
	if canary == "" {
		return value
	}
	switch local, host, found := strings.Cut(value, "@"); {
	case found:
		return local + "+" + canary + "@" + host
	case strings.Contains(value, "://"):
		return value + "/" + canary
	default:
		return value + " " + canary
	}
}

// marked is the JSON of value, with a canary in every field tagged for one.
func marked[T any](c *canaries, value T) json.RawMessage {
	text := encode(value)
	if c.prefix == "" {
		return text
	}
	var own T
	if err := json.Unmarshal(text, &own); err != nil {
		panic("the sandbox cannot read its own data: " + err.Error())
	}
	c.walk(reflect.ValueOf(&own).Elem(), "")
	return encode(own)
}

func (c *canaries) walk(v reflect.Value, field string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			c.walk(v.Field(i), v.Type().Field(i).Tag.Get("canary"))
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.walk(v.Index(i), field)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			c.walk(v.Elem(), field)
		}
	case reflect.String:
		if field != "" {
			v.SetString(c.in(field, v.String()))
		}
	}
}
