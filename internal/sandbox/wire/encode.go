// Package wire is how the API writes values: JSON, timestamps and days.
package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// DecodeStrictly reads JSON and refuses fields that into does not have.
func DecodeStrictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// Encode returns JSON as the API writes it: HTML is not escaped. It panics if the
// value cannot be encoded.
func Encode(value any) json.RawMessage {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Sprintf("the sandbox's own %T cannot be encoded: %v", value, err))
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}
