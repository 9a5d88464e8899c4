package smile

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// maxDepth bounds the nesting of a response. The API's own have a depth of about 8.
const maxDepth = 64

// checkJSON returns why body is not one well-formed JSON value, or contains an object
// with a duplicate key. Of duplicate keys, encoding/json would silently take the
// last.
func checkJSON(body []byte) error { return checkJSONDepth(body, maxDepth) }

func checkJSONDepth(body []byte, deepest int) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return ProblemEmpty
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := checkValue(decoder, deepest); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return ProblemNotJSON
	}
	return nil
}

func checkValue(decoder *json.Decoder, deeper int) error {
	token, err := decoder.Token()
	if err != nil {
		return tokenProblem(err)
	}
	delim, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	if deeper == 0 {
		return ProblemTooDeep
	}
	keys := map[json.Token]bool{}
	for decoder.More() {
		if delim == '{' {
			if err := checkKey(decoder, keys); err != nil {
				return err
			}
		}
		if err := checkValue(decoder, deeper-1); err != nil {
			return err
		}
	}
	_, err = decoder.Token()
	return tokenProblem(err)
}

func checkKey(decoder *json.Decoder, seen map[json.Token]bool) error {
	key, err := decoder.Token()
	if err != nil {
		return tokenProblem(err)
	}
	if seen[key] {
		return ProblemDuplicateKey
	}
	seen[key] = true
	return nil
}

func tokenProblem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ProblemTruncated
	default:
		return ProblemNotJSON
	}
}

// decode reads well-formed JSON into a T. Its errors are Problems.
func decode[T any](data json.RawMessage) (T, error) {
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		return value, problemOf(err, ProblemWrongType)
	}
	return value, nil
}

// problemOf finds the Problem in an error chain.
func problemOf(err error, otherwise Problem) Problem {
	if problem, ok := errors.AsType[Problem](err); ok {
		return problem
	}
	return otherwise
}

// asText returns the value of a JSON string. ok is false for any other JSON value.
func asText(data []byte) (text string, ok bool) {
	err := json.Unmarshal(data, &text)
	return text, err == nil && !isNull(data)
}

// isNull reports whether a JSON value is absent or null.
func isNull(data json.RawMessage) bool {
	return len(data) == 0 || bytes.Equal(bytes.TrimSpace(data), []byte("null"))
}
