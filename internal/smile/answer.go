package smile

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
)

const mediaType = "application/json"

// envelope is what every response is wrapped in.
type envelope struct {
	Code      enum            `json:"code"`
	RequestID requestID       `json:"requestId"`
	Data      json.RawMessage `json:"data"`
}

// readAnswer returns the data of a successful response, and an error for any other.
func readAnswer(op Operation, response *http.Response, from io.Reader) (json.RawMessage, error) {
	body, err := io.ReadAll(from)
	switch status := response.StatusCode; {
	case status >= 300 && status < 400:
		return nil, &RedirectError{Operation: op.ID}
	case status < 200 || status >= 400:
		// The status is enough, whether or not the body can be read.
		return nil, apiError(op, response, body)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, unusable(op, ProblemTruncated)
	case err != nil:
		return nil, failed(op, err)
	}
	data, err := readData(response, body)
	if err != nil {
		return nil, unusable(op, err)
	}
	return data, nil
}

// readData opens the envelope of a successful response. Its code is ignored, because
// the vendor's own examples disagree about it.
func readData(response *http.Response, body []byte) (json.RawMessage, error) {
	if response.StatusCode == http.StatusNoContent {
		return nil, nil
	}
	if len(body) == 0 {
		return nil, ProblemEmpty
	}
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind != mediaType {
		return nil, ProblemContentType
	}
	if err := checkJSON(body); err != nil {
		return nil, err
	}
	opened, err := decode[envelope](body)
	return opened.Data, err
}

// apiError reads a refusal. Parts that cannot be read are left out.
func apiError(op Operation, response *http.Response, body []byte) *APIError {
	var opened envelope
	_ = json.Unmarshal(body, &opened)
	return &APIError{
		Operation:  op.ID,
		StatusCode: response.StatusCode,
		Code:       Code(opened.Code),
		RequestID:  string(opened.RequestID),
		RetryAfter: RetryAfter(response.Header, time.Now()),
	}
}
