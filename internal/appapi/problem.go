package appapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Reason names a problem. The list is closed: see catalog.
type Reason string

// The reasons. docs/application-api-errors.md explains each.
const (
	ReasonNotFound         Reason = "NotFound"
	ReasonMethodNotAllowed Reason = "MethodNotAllowed"

	ReasonUnauthenticated      Reason = "Unauthenticated"
	ReasonForbidden            Reason = "Forbidden"
	ReasonInvalidName          Reason = "InvalidName"
	ReasonInvalidQuery         Reason = "InvalidQuery"
	ReasonInvalidHeader        Reason = "InvalidHeader"
	ReasonInvalidBody          Reason = "InvalidBody"
	ReasonBodyTooLarge         Reason = "BodyTooLarge"
	ReasonUnsupportedMediaType Reason = "UnsupportedMediaType"
	ReasonTooManyRequests      Reason = "TooManyRequests"
	ReasonAccessReviewFailed   Reason = "AccessReviewFailed"
	ReasonDeadlineExceeded     Reason = "DeadlineExceeded"
	ReasonInternalError        Reason = "InternalError"

	ReasonUserNotFound      Reason = "UserNotFound"
	ReasonUserNotReady      Reason = "UserNotReady"
	ReasonSuspended         Reason = "Suspended"
	ReasonThrottled         Reason = "Throttled"
	ReasonSmileUnavailable  Reason = "SmileUnavailable"
	ReasonLeaderUnavailable Reason = "LeaderUnavailable"
	ReasonLeadershipLost    Reason = "LeadershipLost"

	ReasonWidgetNotFound Reason = "WidgetNotFound"
	ReasonWidgetNotReady Reason = "WidgetNotReady"
	ReasonWidgetMismatch Reason = "WidgetMismatch"
	ReasonPageNotServed  Reason = "PageNotServed"
)

// ProblemType is the media type of problem documents (RFC 9457).
const ProblemType = "application/problem+json"

// typePrefix begins the type of every problem document.
const typePrefix = "tag:smile-operator.io,2026:"

// Problem is why a call failed.
type Problem struct {
	Reason Reason
	// Cause is the reason of the condition behind the problem, such as ConnectionNotReady; often empty.
	Cause string
	// Field is the field of the body, or the parameter, that is not valid; often empty.
	Field string
	// RetryAfter is when the same call may succeed; 0 when waiting alone does not help.
	RetryAfter time.Duration
	// Err is the error behind the problem. It is only for logs, never part of a response.
	Err error
}

func (p *Problem) Error() string {
	if p.Err != nil {
		return string(p.Reason) + ": " + p.Err.Error()
	}
	return string(p.Reason)
}

func (p *Problem) Unwrap() error { return p.Err }

// NewProblem returns a problem with this reason, and the retry time of the catalog.
func NewProblem(reason Reason) *Problem {
	return &Problem{Reason: reason, RetryAfter: catalog[reason].retryAfter}
}

// Because returns a copy with an error, for logs.
func (p *Problem) Because(err error) *Problem {
	changed := *p
	changed.Err = err
	return &changed
}

// problemOf finds the problem in an error of Gate, Relay or People. Any other error is an InternalError.
func problemOf(err error) *Problem {
	var problem *Problem
	if errors.As(err, &problem) {
		return problem
	}
	return NewProblem(ReasonInternalError).Because(err)
}

// document is a problem document.
type document struct {
	Type    string     `json:"type"`
	Title   string     `json:"title"`
	Status  int        `json:"status"`
	Detail  string     `json:"detail"`
	Reason  Reason     `json:"reason"`
	Cause   string     `json:"cause,omitempty"`
	Field   string     `json:"field,omitempty"`
	RetryAt *time.Time `json:"retryAt,omitempty"`
	CallID  string     `json:"callId"`
}

// answer is the response to a call with this id that ended with the problem.
func (p *Problem) answer(callID string, now time.Time) *Answer {
	entry := catalog[p.Reason]
	body := document{
		Type: typePrefix + string(p.Reason), Title: entry.title, Status: entry.status, Detail: entry.detail,
		Reason: p.Reason, Cause: p.Cause, Field: p.Field, CallID: callID,
	}
	header := http.Header{"Content-Type": {ProblemType}}
	if p.RetryAfter > 0 {
		seconds := math.Ceil(p.RetryAfter.Seconds())
		at := now.UTC().Add(time.Duration(seconds) * time.Second).Truncate(time.Second)
		header.Set("Retry-After", strconv.Itoa(int(seconds)))
		body.RetryAt = &at
	}
	if p.Reason == ReasonUnauthenticated {
		header.Set("WWW-Authenticate", "Bearer")
	}
	return &Answer{Status: entry.status, Header: header, Body: encode(body)}
}

// encode encodes a value of this package, which cannot fail.
func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encoding a %T: %v", value, err))
	}
	return append(text, '\n')
}
