package smile

import (
	"errors"
	"net/http"
	"slices"
	"time"
)

// notCreated are the statuses of requests that Smile refuses before it creates anything.
var notCreated = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
	http.StatusUnsupportedMediaType, http.StatusTooManyRequests,
}

// NotCreated reports whether a call that failed with err has certainly created, or
// changed, nothing. Otherwise its outcome is unknown, and must be found out before
// the call is made again.
func NotCreated(err error) bool {
	if as[*UnsentError](err) {
		return true
	}
	refused, ok := errors.AsType[*APIError](err)
	return ok && slices.Contains(notCreated, refused.StatusCode)
}

// IsNotFound reports whether the API itself said that the object does not exist. A
// bare 404, which a proxy or a wrong path may cause, does not count, because data
// is erased if this returns true.
func IsNotFound(err error) bool {
	refused, ok := errors.AsType[*APIError](err)
	return ok && (refused.Code == CodeMissingResource ||
		refused.StatusCode == http.StatusNotFound && refused.Code != "")
}

// IsDenied reports whether the key pair was refused, for everything or for this
// object. Smile refuses a wrong pair with 400 or 401.
func IsDenied(err error) bool {
	refused, ok := errors.AsType[*APIError](err)
	return ok && refused.denied()
}

func (e *APIError) denied() bool {
	switch e.Code {
	case CodeInvalidCredentials, CodeInvalidToken, CodeUnauthorizedAccess:
		return true
	default:
		return e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden
	}
}

// IsForbidden reports whether the key pair may not access this object (403).
func IsForbidden(err error) bool {
	refused, ok := errors.AsType[*APIError](err)
	return ok && refused.StatusCode == http.StatusForbidden
}

// IsInvalid reports whether the call itself is wrong, so that a retry would fail
// too.
func IsInvalid(err error) bool {
	if as[*ArgumentError](err) {
		return true
	}
	refused, ok := errors.AsType[*APIError](err)
	if !ok || refused.denied() || IsNotFound(err) {
		return false
	}
	switch refused.StatusCode {
	case http.StatusBadRequest, http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		return true
	default:
		return refused.Code == CodeInvalidParameters
	}
}

// ThrottledFor reports whether the API requires fewer calls, and for how long none
// may be sent: 0 if it did not say, at most 10 minutes.
func ThrottledFor(err error) (time.Duration, bool) {
	if paused, ok := errors.AsType[*PausedError](err); ok {
		return paused.RetryAfter, true
	}
	refused, ok := errors.AsType[*APIError](err)
	if !ok || refused.StatusCode != http.StatusTooManyRequests {
		return 0, false
	}
	return refused.RetryAfter, true
}

// KeepsPlace reports whether a call was not sent because its turn is far away. Its caller will be woken.
func KeepsPlace(err error) bool {
	paused, ok := errors.AsType[*PausedError](err)
	return ok && paused.Kept
}
