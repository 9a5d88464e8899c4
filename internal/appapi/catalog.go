package appapi

import (
	"net/http"
	"slices"
	"time"
)

// retry says whether repeating the same call helps.
type retry string

const (
	retryNever retry = "never"
	retryFixed retry = "when fixed"
	retryLater retry = "later"
)

// entry is the fixed part of a problem.
type entry struct {
	status        int
	title, detail string
	retry         retry
	// retryAfter is the time to wait, unless the error gives a more exact one.
	retryAfter time.Duration
	// effect is true if the operation may have been carried out although the caller gets an error.
	effect bool
}

// ofEveryRequest are the problems that requests can end with before an operation is found.
var ofEveryRequest = []Reason{ReasonNotFound, ReasonMethodNotAllowed}

// ofEveryCall are the problems that each call can end with.
var ofEveryCall = []Reason{
	ReasonInvalidName, ReasonInvalidQuery, ReasonInvalidHeader, ReasonInvalidBody,
	ReasonUnauthenticated, ReasonForbidden, ReasonBodyTooLarge, ReasonUnsupportedMediaType, ReasonTooManyRequests,
	ReasonInternalError, ReasonAccessReviewFailed, ReasonDeadlineExceeded,
}

// Problems are the reasons for which calls of an operation can fail, sorted by status.
func (o *Operation) Problems() []Reason {
	all := slices.Concat(ofEveryCall, o.problems)
	slices.SortStableFunc(all, func(a, b Reason) int { return a.Status() - b.Status() })
	return all
}

// Status is the HTTP status of responses with this reason.
func (r Reason) Status() int { return catalog[r].status }

// MayHaveHadEffect reports whether a call that failed for this reason may have had its effect.
func (r Reason) MayHaveHadEffect() bool { return catalog[r].effect }

const shortWait = time.Second

// catalog has every problem of the API.
var catalog = map[Reason]entry{
	ReasonNotFound: {
		http.StatusNotFound, "There is no such path", "The API has no operation at this path; see " + DocumentPath + ".",
		retryNever, 0, false,
	},
	ReasonMethodNotAllowed: {
		http.StatusMethodNotAllowed, "The method is not allowed", "The path accepts the methods that the Allow header lists.",
		retryNever, 0, false,
	},
	ReasonUnauthenticated: {
		http.StatusUnauthorized, "The caller is not authenticated",
		"Send a token that is valid for the API's audience, in one header of the form \"Authorization: Bearer TOKEN\".",
		retryFixed, 0, false,
	},
	ReasonForbidden: {
		http.StatusForbidden, "The caller may not do this",
		"The caller's roles do not permit this verb on this subresource in this namespace. Nothing was looked up.",
		retryFixed, 0, false,
	},
	ReasonInvalidName: {
		http.StatusBadRequest, "A name in the path is not valid",
		"The namespace must be a DNS label, and the name a DNS subdomain, both in lower case and not encoded.",
		retryNever, 0, false,
	},
	ReasonInvalidQuery: {
		http.StatusBadRequest, "The query is not valid",
		"The query has a parameter that this call does not accept, or an invalid value.",
		retryNever, 0, false,
	},
	ReasonInvalidHeader: {
		http.StatusBadRequest, "A header is not valid",
		HeaderConsentRef + " and " + HeaderPurpose + " occur at most once and hold at most 256 printable ASCII characters.",
		retryNever, 0, false,
	},
	ReasonInvalidBody: {
		http.StatusBadRequest, "The body is not valid",
		"The body must be as documented: one JSON object with the documented fields only, or empty if none is required. " +
			"`field` names the field that is missing or out of its bounds.",
		retryNever, 0, false,
	},
	ReasonBodyTooLarge: {
		http.StatusRequestEntityTooLarge, "The body is too large", "A body has at most 16 KiB.",
		retryNever, 0, false,
	},
	ReasonUnsupportedMediaType: {
		http.StatusUnsupportedMediaType, "The media type is not supported",
		"A body must have the Content-Type application/json, and no Content-Encoding.",
		retryNever, 0, false,
	},
	ReasonTooManyRequests: {
		http.StatusTooManyRequests, "The caller makes too many requests",
		"A caller may make 20 calls a second. Unauthenticated requests are limited for each source.",
		retryLater, shortWait, false,
	},
	ReasonInternalError: {
		http.StatusInternalServerError, "An unexpected error", "The operator's log has the error, under the id of this call.",
		retryLater, shortWait, true,
	},
	ReasonAccessReviewFailed: {
		http.StatusServiceUnavailable, "The caller's rights cannot be checked",
		"The Kubernetes API server did not say who the caller is, or what the caller may do.",
		retryLater, shortWait, false,
	},
	ReasonDeadlineExceeded: {
		http.StatusGatewayTimeout, "The call took too long", "The call was aborted after 10 seconds.",
		retryLater, shortWait, true,
	},
	ReasonUserNotFound: {
		http.StatusNotFound, "The user does not exist", "The namespace has no SmileUser of this name.",
		retryFixed, 0, false,
	},
	ReasonUserNotReady: {
		http.StatusConflict, "The user is not ready",
		"The user cannot be used at Smile now. `cause` is the reason, as in the conditions of the object or its connection.",
		retryFixed, 0, false,
	},
	ReasonSuspended: {
		http.StatusConflict, "The user is suspended", "spec.suspend of the user or of its connection is true.",
		retryFixed, 0, false,
	},
	ReasonWidgetNotFound: {
		http.StatusNotFound, "The widget does not exist", "The namespace has no SmileWinkWidget of this name.",
		retryFixed, 0, false,
	},
	ReasonWidgetNotReady: {
		http.StatusConflict, "The widget is not ready",
		"The widget cannot be used now. `cause` is the reason, as in the conditions of the SmileWinkWidget.",
		retryFixed, 0, false,
	},
	ReasonWidgetMismatch: {
		http.StatusConflict, "The widget is of another connection",
		"The SmileUser and the SmileWinkWidget must name the same connection.",
		retryFixed, 0, false,
	},
	ReasonPageNotServed: {
		http.StatusConflict, "No page is served for the widget",
		"Set spec.page of the SmileWinkWidget, and the operator's flags --wink-bind-address and --wink-base-url.",
		retryFixed, 0, false,
	},
	ReasonThrottled: {
		http.StatusServiceUnavailable,
		"The call budget is spent",
		"Smile, or the operator's own limit, permits no more calls at the moment.",
		retryLater,
		shortWait,
		false,
	},
	ReasonSmileUnavailable: {
		http.StatusServiceUnavailable, "Smile cannot be reached", "Smile did not respond, or its response could not be used.",
		retryLater, 5 * time.Second, true,
	},
	ReasonLeaderUnavailable: {
		http.StatusServiceUnavailable, "No replica leads",
		"This replica is not the leader, and the leader did not respond. A new leader is elected within a minute.",
		retryLater, shortWait, true,
	},
	ReasonLeadershipLost: {
		http.StatusServiceUnavailable,
		"The replica lost its leadership",
		"The replica stopped leading during the call, so its result is withheld.",
		retryLater,
		shortWait,
		true,
	},
}

// allReasons are the reasons of the catalog, in the order of its page.
func allReasons() []Reason {
	all := slices.Clone(ofEveryRequest)
	for _, reason := range slices.Concat(ofEveryCall, slices.Concat(problemsOfOperations()...)) {
		if !slices.Contains(all, reason) {
			all = append(all, reason)
		}
	}
	return all
}

func problemsOfOperations() (all [][]Reason) {
	for _, operation := range Operations {
		all = append(all, operation.problems)
	}
	return all
}
