package wink

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// Reason is why a link is not opened. The page shows a text for each. The list is closed; docs/wink.md explains each.
type Reason string

// The reasons.
const (
	ReasonInvalid    Reason = "invalid"
	ReasonUsed       Reason = "used"
	ReasonExpired    Reason = "expired"
	ReasonSuperseded Reason = "superseded"
	ReasonNotReady   Reason = "notReady"
	ReasonLater      Reason = "later"
)

// statuses are the HTTP statuses of the reasons.
var statuses = map[Reason]int{
	ReasonInvalid: http.StatusBadRequest, ReasonUsed: http.StatusGone, ReasonExpired: http.StatusGone,
	ReasonSuperseded: http.StatusGone, ReasonNotReady: http.StatusConflict, ReasonLater: http.StatusServiceUnavailable,
}

// ReasonOf is the reason that an error of Codes or Sessions is.
func ReasonOf(err error) Reason {
	switch {
	case errors.Is(err, ErrUsed):
		return ReasonUsed
	case errors.Is(err, ErrExpired):
		return ReasonExpired
	case errors.Is(err, ErrSuperseded):
		return ReasonSuperseded
	case errors.Is(err, ErrBusy):
		return ReasonLater
	default:
		return ReasonInvalid
	}
}

// Request is a tab's request to open a link. A tab that no longer has the code is identified by its name alone.
type Request struct {
	Namespace string `json:"namespace"`
	Widget    string `json:"widget"`
	Code      string `json:"code,omitempty"`
	Tab       string `json:"tab"`
}

// Opened is the token and the options with which the page starts the widget.
type Opened struct {
	AccessToken string         `json:"accessToken"`
	APIHost     string         `json:"apiHost"`
	TemplateID  string         `json:"templateId,omitempty"`
	Options     map[string]any `json:"options,omitempty"`
}

// Answer is the response to a request.
type Answer struct {
	Status int
	Body   []byte
	// Outcome for metrics: a Reason, or Succeeded.
	Outcome string
}

// Succeeded is the outcome of requests that were not refused.
const Succeeded = "succeeded"

// Refused returns an answer with a reason.
func Refused(reason Reason) Answer {
	return Answer{Status: statuses[reason], Body: encode(map[string]Reason{"reason": reason}), Outcome: string(reason)}
}

// Succeed returns the answer with which the page starts the widget.
func Succeed(opened Opened) Answer {
	return Answer{Status: http.StatusOK, Body: encode(opened), Outcome: Succeeded}
}

// Write sends the answer.
func (a Answer) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// Exchange opens a link, which is identified by its code or by the name of a tab.
type Exchange func(ctx context.Context, request Request) Answer

// encode encodes a value of this package, which cannot fail.
func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic("encoding a value of the hosted page: " + err.Error())
	}
	return append(text, '\n')
}
