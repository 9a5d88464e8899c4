package smile

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds the nesting of an answer; the API's own reach a depth of about 8.
const maxDepth = 64

// checkJSON reports what keeps body from being one well-formed JSON value without
// an object that names a key twice, of which encoding/json would silently take the
// last.
func checkJSON(body []byte) error { return checkJSONDepth(body, maxDepth) }

func checkJSONDepth(body []byte, deepest int) error {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowInvalidUTF8(true))
	for values := 0; ; {
		_, err := decoder.ReadToken()
		switch {
		case errors.Is(err, io.EOF) && values == 0:
			return ProblemEmpty
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return tokenProblem(err)
		case decoder.StackDepth() > deepest:
			return ProblemTooDeep
		case decoder.StackDepth() == 0:
			values++
		}
		if values > 1 {
			return ProblemNotJSON
		}
	}
}

func tokenProblem(err error) error {
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return ProblemDuplicateKey
	case errors.Is(err, io.ErrUnexpectedEOF):
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

// asText reads a JSON value leniently: not ok is any that is no string.
func asText(data []byte) (text string, ok bool) {
	err := json.Unmarshal(data, &text)
	return text, err == nil && !isNull(data)
}

// isNull reports whether a JSON value is absent or null.
func isNull(data json.RawMessage) bool {
	return len(data) == 0 || bytes.Equal(bytes.TrimSpace(data), []byte("null"))
}
