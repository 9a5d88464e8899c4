package smile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
)

// redacted is all that any printer or encoder gets to see of a Sensitive.
const redacted = "[REDACTED]"

// errUndecodable replaces encoding/json's errors, which quote the offending value.
var errUndecodable = errors.New("sensitive value: JSON of an unexpected type")

// Sensitive holds a value that must not be printed, logged or encoded: a key, a
// token, a person's data. Only Reveal returns it. The zero Sensitive holds the
// zero T.
type Sensitive[T any] struct {
	// A closure, not a field: printers that read unexported fields by reflection,
	// where no method is called, find a function pointer and nothing else.
	reveal func() T
}

// NewSensitive wraps v.
func NewSensitive[T any](v T) Sensitive[T] {
	return Sensitive[T]{reveal: func() T { return v }}
}

// Reveal returns the value itself.
func (s Sensitive[T]) Reveal() T {
	if s.reveal == nil {
		var zero T
		return zero
	}
	return s.reveal()
}

// Equal reports whether both hold deeply equal values.
func (s Sensitive[T]) Equal(other Sensitive[T]) bool {
	return reflect.DeepEqual(s.Reveal(), other.Reveal())
}

// String implements fmt.Stringer.
func (Sensitive[T]) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Sensitive[T]) GoString() string { return redacted }

// Format implements fmt.Formatter, for every verb and flag.
func (Sensitive[T]) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// LogValue implements slog.LogValuer.
func (Sensitive[T]) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Sensitive[T]) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON implements json.Marshaler.
func (Sensitive[T]) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// UnmarshalJSON decodes the value itself. Its error never quotes the input.
func (s *Sensitive[T]) UnmarshalJSON(data []byte) error {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return errUndecodable
	}
	*s = NewSensitive(v)
	return nil
}
