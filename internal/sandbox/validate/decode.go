package validate

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"
)

// The vendor's limits on the metadata of a user.
const (
	maxMetadataPairs = 5
	maxMetadataKey   = 50
	maxMetadataValue = 500
)

// UserMetadata reads externalMetadata from the body of a user to create. The body
// may be absent. Unknown fields are ignored.
func UserMetadata(body []byte) (map[string]string, *Problem) {
	fields, wrong := readObject(body, "body")
	if wrong != nil {
		return nil, wrong
	}
	raw, given := fields["externalMetadata"]
	if !given || isNull(raw) {
		return nil, nil
	}
	pairs, wrong := readObject(raw, "externalMetadata")
	if wrong != nil {
		return nil, wrong
	}
	return readMetadata(pairs)
}

func readMetadata(pairs map[string]json.RawMessage) (map[string]string, *Problem) {
	if len(pairs) > maxMetadataPairs {
		return nil, Wrong("externalMetadata", "must not have more than 5 pairs")
	}
	metadata := map[string]string{}
	for key, raw := range pairs {
		value, isString := readString(raw)
		text := ""
		switch {
		case len(key) > maxMetadataKey:
			text = "must not have a key longer than 50 characters"
		case !isString:
			text = "must have only strings as values"
		case len(value) > maxMetadataValue:
			text = "must not have a value longer than 500 characters"
		case !isASCII(key) || !isASCII(value):
			text = "must be ASCII"
		}
		if text != "" {
			return nil, Wrong("externalMetadata", text)
		}
		metadata[key] = value
	}
	return metadata, nil
}

// UserID reads the user from the body of a token request. The vendor's document
// has it in the query, but its text allows both.
func UserID(body []byte) (string, *Problem) {
	fields, wrong := readObject(body, "body")
	if wrong != nil {
		return "", wrong
	}
	id, isString := readString(fields["userId"])
	if text := ID(id); !isString || text != "" {
		return "", Wrong("userId", ID(""))
	}
	return id, nil
}

// readObject reads one JSON object with nothing after it. An empty text has no
// fields. A duplicate field is an error, because it is ambiguous.
func readObject(text []byte, field string) (map[string]json.RawMessage, *Problem) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, Wrong(field, "must be a JSON object")
	}
	fields := map[string]json.RawMessage{}
	for decoder.More() {
		name, value, err := readMember(decoder)
		if err != nil {
			return nil, Wrong(field, "must be a JSON object")
		}
		if _, twice := fields[name]; twice {
			return nil, Wrong(field, "must not have a field twice")
		}
		fields[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, Wrong(field, "must be a JSON object")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, Wrong(field, "must be one JSON object")
	}
	return fields, nil
}

func readMember(decoder *json.Decoder) (name string, value json.RawMessage, err error) {
	token, err := decoder.Token()
	if err != nil {
		return "", nil, err
	}
	name, _ = token.(string)
	err = decoder.Decode(&value)
	return name, value, err
}

// readString returns the value of a JSON string. It refuses bytes that are not
// UTF-8 instead of replacing them.
func readString(raw json.RawMessage) (string, bool) {
	var value *string
	if err := json.Unmarshal(raw, &value); err != nil || value == nil || !utf8.Valid(raw) {
		return "", false
	}
	return *value, true
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
