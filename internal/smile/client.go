package smile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

// Doer sends a request. Use transport.Transport: a plain http.Client has no
// credentials, no budget and no limits, and follows redirects.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Client reads from the API. It can change nothing there. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	doer    Doer
	observe func(context.Context, error) error
}

// NewClient returns a client of the API at base, e.g. https://sandbox.smileapi.io/v1.
func NewClient(base *url.URL, doer Doer) *Client {
	return &Client{base: base, doer: doer, observe: func(_ context.Context, err error) error { return err }}
}

// Observed returns a client that passes the error of each call that was refused, or
// got no usable response, to observe, and returns the result as the error. A response
// with wrong contents is not an error of the call.
func (c *Client) Observed(observe func(context.Context, error) error) *Client {
	return &Client{base: c.base, doer: c.doer, observe: observe}
}

// call is one request to be made.
type call struct {
	operation Operation
	// path is relative to the base. Its ids have been checked.
	path  []string
	query url.Values
	// body is sent as JSON, unless nil.
	body any
	// bounds of a listing.
	bounds bounds
}

// wire is the form of a T in a response.
type wire[T any] interface {
	// domain converts, and reports a required field that is missing or bad as a Problem.
	domain() (T, error)
}

// fetch makes a call whose response is one W.
func fetch[W wire[T], T any](ctx context.Context, c *Client, what call) (T, error) {
	value, err := receive[W](ctx, c, what)
	if err != nil {
		var zero T
		return zero, err
	}
	return translated(what.operation, value)
}

// translated is value.domain() with the Problem made an error of the operation.
func translated[W wire[T], T any](op Operation, value W) (T, error) {
	result, err := value.domain()
	if err != nil {
		var zero T
		return zero, unusable(op, err)
	}
	return result, nil
}

// receive makes a call and decodes the data of its response.
func receive[W any](ctx context.Context, c *Client, what call) (W, error) {
	var value W
	data, err := c.send(ctx, what)
	if err != nil {
		return value, err
	}
	if isNull(data) {
		return value, unusable(what.operation, missing("data"))
	}
	value, err = decode[W](data)
	if err != nil {
		return value, unusable(what.operation, err)
	}
	return value, nil
}

// send makes a call and returns the data of its response. A read whose response was
// damaged on the way is made a second time.
func (c *Client) send(ctx context.Context, what call) (json.RawMessage, error) {
	data, err := c.sendOnce(ctx, what)
	if err != nil && !what.operation.Mutates() && ctx.Err() == nil && damaged(err) {
		data, err = c.sendOnce(ctx, what)
	}
	if err != nil {
		return nil, c.observe(ctx, err)
	}
	return data, nil
}

func (c *Client) sendOnce(ctx context.Context, what call) (json.RawMessage, error) {
	request, err := c.request(ctx, what)
	if err != nil {
		return nil, &UnsentError{Cause: FailureNetwork}
	}
	response, err := c.doer.Do(request)
	if err != nil {
		return nil, failed(what.operation, err)
	}
	body := &heldReader{Reader: response.Body}
	defer func() { _, _ = body.Close(), response.Body.Close() }()
	data, err := readAnswer(what.operation, response, body)
	if err == nil {
		noteDate(ctx, response)
	}
	return data, err
}

func (c *Client) request(ctx context.Context, what call) (*http.Request, error) {
	target := c.base.JoinPath(what.path...)
	target.RawQuery = what.query.Encode()
	body, err := encode(what.body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(
		withOperation(ctx, what.operation), what.operation.Method, target.String(), body)
	if err != nil {
		return nil, err
	}
	// Without GetBody, net/http cannot rewind the body, and so never sends it again.
	request.GetBody = nil
	request.Header.Set("Accept", mediaType)
	if what.operation.Method == http.MethodPost {
		request.Header.Set("Content-Type", mediaType)
	}
	return request, nil
}

func encode(body any) (*bytes.Reader, error) {
	if body == nil {
		return bytes.NewReader(nil), nil
	}
	text, err := json.Marshal(body)
	return bytes.NewReader(text), err
}

// failed converts an error of the Doer, or of reading a body, to its type.
func failed(op Operation, err error) error {
	switch {
	case as[*UnsentError](err), as[*HostError](err):
		return err
	case as[Problem](err):
		return unusable(op, err)
	default:
		return &TransportError{Operation: op.ID, Cause: Classify(err)}
	}
}

func unusable(op Operation, err error) error {
	return &ResponseError{Operation: op.ID, Problem: problemOf(err, ProblemNotJSON)}
}

// damaged reports whether a response was lost by a fault that an immediate retry probably avoids. A timeout is none, because it
// has already taken too long.
func damaged(err error) bool {
	if lost, ok := errors.AsType[*TransportError](err); ok {
		return !errors.Is(lost.Cause, context.DeadlineExceeded) && !errors.Is(lost.Cause, context.Canceled)
	}
	if refused, ok := errors.AsType[*APIError](err); ok {
		return refused.RetryAfter == 0 && gatewayStatus(refused.StatusCode)
	}
	return errors.Is(err, ProblemTruncated)
}

func gatewayStatus(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable ||
		status == http.StatusGatewayTimeout
}
