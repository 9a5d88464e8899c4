package smile

import (
	"fmt"
	"time"
)

// APIError is a refusal: a response with any status that is neither 2xx nor 3xx.
type APIError struct {
	// Operation is the vendor's name of the call, e.g. "create-user".
	Operation string
	// StatusCode is the HTTP status.
	StatusCode int
	// Code is the envelope's code; empty when the body was not an envelope.
	Code Code
	// RequestID identifies the request for the vendor's support; empty if absent or not
	// of the form [A-Za-z0-9-]{1,64}. It is in no message, so that messages are stable.
	RequestID string
	// RetryAfter is how long the server wants no calls, 0 to 10 minutes.
	RetryAfter time.Duration
}

func (e *APIError) Error() string {
	if !e.Code.isDocumented() {
		return fmt.Sprintf("smile: %s: refused with status %d", e.Operation, e.StatusCode)
	}
	return fmt.Sprintf("smile: %s: refused with status %d %s", e.Operation, e.StatusCode, e.Code)
}

// Problem is what is wrong with a response or an argument, in fixed words.
type Problem string

// What can be wrong with a response.
const (
	ProblemTruncated    Problem = "truncated"
	ProblemNotJSON      Problem = "not JSON"
	ProblemEmpty        Problem = "empty"
	ProblemTooLarge     Problem = "too large"
	ProblemTooDeep      Problem = "nested too deeply"
	ProblemDuplicateKey Problem = "the same key twice in one object"
	ProblemContentType  Problem = "wrong content type"
	ProblemEncoding     Problem = "unreadable content encoding"
	ProblemWrongType    Problem = "a field of the wrong type"
	ProblemBadID        Problem = "an id of the wrong form"
	ProblemWrongObject  Problem = "about another object than the one asked for"
	ProblemCursorLoop   Problem = "a page cursor that repeats"
	ProblemBadCursor    Problem = "a page cursor of the wrong form"
	ProblemTooManyPages Problem = "more pages than the limit"
	ProblemTooMuchData  Problem = "a listing of more data than an output holds"
	ProblemNoRoom       Problem = "more data at once than the operator holds in memory"
)

func missing(field string) Problem { return Problem("missing field " + field) }

func (p Problem) Error() string { return string(p) }

// ResponseError is a response with a status of success that cannot be used. The
// outcome of a mutating call is then unknown.
type ResponseError struct {
	Operation string
	Problem   Problem
}

func (e *ResponseError) Error() string {
	return fmt.Sprintf("smile: %s: unusable answer: %s", e.Operation, e.Problem)
}

// Unwrap makes errors.Is(err, ProblemTruncated) and the like work.
func (e *ResponseError) Unwrap() error { return e.Problem }

// RedirectError is a 3xx response. Redirects are never followed.
type RedirectError struct{ Operation string }

func (e *RedirectError) Error() string {
	return fmt.Sprintf("smile: %s: redirect refused", e.Operation)
}

// UnsentError is a call that failed before any byte was written.
type UnsentError struct{ Cause error }

func (e *UnsentError) Error() string { return "smile: request not sent: " + e.Cause.Error() }

func (e *UnsentError) Unwrap() error { return e.Cause }

// PausedError is a call that was not sent, because the response to another call
// requires a pause, or because other calls go first. It is always the cause of an
// UnsentError.
type PausedError struct {
	// RetryAfter is how long the pause still lasts.
	RetryAfter time.Duration
	// Kept means that the caller keeps its place in the queue, and is woken when its turn is near, usually before RetryAfter.
	Kept bool
}

func (e *PausedError) Error() string {
	if e.Kept {
		return "other calls go first"
	}
	return "the API has asked for a pause"
}

// ArgumentError is an argument that the API does not accept. It is always the cause
// of an UnsentError.
type ArgumentError struct {
	// Argument is its name, e.g. "id".
	Argument string
	Problem  Problem
}

func (e *ArgumentError) Error() string {
	return fmt.Sprintf("argument %s: %s", e.Argument, e.Problem)
}

func invalidArgument(name string, problem Problem) error {
	return &UnsentError{Cause: &ArgumentError{Argument: name, Problem: problem}}
}

// TransportError is a call that was written, at least in part, and got no response.
// The outcome of a mutating call is then unknown.
type TransportError struct {
	Operation string
	// Cause is a Failure, context.DeadlineExceeded or context.Canceled.
	Cause error
}

func (e *TransportError) Error() string {
	return fmt.Sprintf("smile: %s: no answer: %v", e.Operation, e.Cause)
}

func (e *TransportError) Unwrap() error { return e.Cause }

// HostError is an endpoint to which no credentials are sent.
type HostError struct {
	// Field is the name of the field with the endpoint, e.g. "endpoint".
	Field string
	// Reason says what is wrong with it.
	Reason string
	// Remedy says what to do about it.
	Remedy string
}

func (e *HostError) Error() string {
	return fmt.Sprintf("%s: %s; %s", e.Field, e.Reason, e.Remedy)
}
