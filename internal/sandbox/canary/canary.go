// Package canary marks personal data, so that a test can find where it leaks.
package canary

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/smile-operator/smile-operator/internal/sandbox/ids"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// Marker adds a unique text, a canary, to every personal field, access token and
// error message. A test can search logs, events and metrics for it. A canary is
// PREFIX-field-random. An empty prefix turns the marker off.
type Marker struct {
	prefix string
	ids    *ids.Source

	mu   sync.Mutex
	made []string
}

// New makes a marker.
func New(prefix string, ids *ids.Source) *Marker { return &Marker{prefix: prefix, ids: ids} }

// New returns a canary for a field, or "" if the marker is off.
func (m *Marker) New(field string) string {
	if m.prefix == "" {
		return ""
	}
	canary := m.prefix + "-" + m.ids.Next(field + "-")[:len(field)+1+12]
	m.mu.Lock()
	defer m.mu.Unlock()
	m.made = append(m.made, canary)
	return canary
}

// All lists the canaries made since the last Reset.
func (m *Marker) All() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string{}, slices.Clone(m.made)...)
}

// Reset forgets the canaries that were made.
func (m *Marker) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.made = nil
}

// In adds a canary to a value. E-mail addresses and URLs stay valid.
func (m *Marker) In(field, value string) string {
	canary := m.New(field)
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

// Mark returns the JSON of value, with a canary in every field that has the tag
// canary:"name".
func Mark[T any](m *Marker, value T) json.RawMessage {
	text := wire.Encode(value)
	if m.prefix == "" {
		return text
	}
	var own T
	if err := json.Unmarshal(text, &own); err != nil {
		panic("the sandbox cannot read its own data: " + err.Error())
	}
	m.mark(reflect.ValueOf(&own).Elem(), "")
	return wire.Encode(own)
}

func (m *Marker) mark(v reflect.Value, field string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			m.mark(v.Field(i), v.Type().Field(i).Tag.Get("canary"))
		}
	case reflect.Slice:
		for i := range v.Len() {
			m.mark(v.Index(i), field)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			m.mark(v.Elem(), field)
		}
	case reflect.String:
		if field != "" {
			v.SetString(m.In(field, v.String()))
		}
	}
}
