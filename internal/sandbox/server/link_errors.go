package server

import (
	"maps"
	"net/http"
	"slices"
)

// The errors that a person sees in the widget.

// accountErrors are the reasons why a login can fail or end. Only the person, or
// the provider, can remove them. The texts are for the person.
var accountErrors = map[string]string{
	"ACCOUNT_DISABLED":       "The provider has disabled the account.",
	"ACCOUNT_INACCESSIBLE":   "The account cannot be reached at the provider.",
	"ACCOUNT_INCOMPLETE":     "The account is not set up completely at the provider.",
	"ACCOUNT_LOCKED":         "The provider has locked the account.",
	"AUTH_REQUIRED":          "The person has to log in again.",
	"EXPIRED_CREDENTIALS":    "The password has expired.",
	"INVALID_ACCOUNT_TYPE":   "Accounts of this type hold no employment data.",
	"INVALID_AUTH":           "The login was refused.",
	"INVALID_CREDENTIALS":    "Login or password is wrong.",
	"INVALID_MFA":            "The one-time code is wrong.",
	"MFA_TIMEOUT":            "The one-time code came too late.",
	"SERVICE_UNAVAILABLE":    "The provider does not answer.",
	"SYSTEM_ERROR":           "Something failed between Smile and the provider.",
	"TOS_REQUIRED":           "The person has to accept the provider's terms first.",
	"UNSUPPORTED_AUTH_TYPE":  "The account uses a login that is not supported.",
	"UNSUPPORTED_MFA_METHOD": "The account uses a second factor that is not supported.",
}

// tokenFault is why a link token is refused. The Link API sends it as data.reason,
// so that the widget can distinguish expiry from the rest.
type tokenFault string

const (
	tokenAbsent    tokenFault = "ABSENT"
	tokenMalformed tokenFault = "MALFORMED"
	tokenForged    tokenFault = "FORGED"
	tokenForeign   tokenFault = "FOREIGN"
	tokenExpired   tokenFault = "EXPIRED"
)

// tokenFaultTexts are sentences for the person.
var tokenFaultTexts = map[tokenFault]string{
	tokenAbsent:    "The call has no link token.",
	tokenMalformed: "The bearer token is not a link token.",
	tokenForged:    "The link token was not issued here.",
	tokenForeign:   "The link token is of a tenant that does not exist here.",
	tokenExpired:   "The link token has expired.",
}

func (f tokenFault) reply() *reply {
	refusal := refuse(http.StatusUnauthorized, tokenFaultTexts[f])
	refusal.data = map[string]tokenFault{"reason": f}
	return &refusal
}

// belongsToAnother refuses an object of another user.
func belongsToAnother(what string) reply {
	return refuse(http.StatusForbidden, "The "+what+" belongs to another user.")
}

// ErrorCodes lists the account error codes.
func ErrorCodes() []string { return slices.Sorted(maps.Keys(accountErrors)) }
