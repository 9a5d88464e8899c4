package smile

import "slices"

// Code is the envelope's summary of a response. The set is open.
type Code string

// The codes that are documented.
const (
	CodeOK                   Code = "OK"
	CodeCreated              Code = "CREATED"
	CodeInvalidCredentials   Code = "INVALID_CREDENTIALS"
	CodeInvalidParameters    Code = "INVALID_PARAMETERS"
	CodeInvalidToken         Code = "INVALID_TOKEN"
	CodeUnauthorizedAccess   Code = "UNAUTHORIZED_ACCESS"
	CodeMissingResource      Code = "MISSING_RESOURCE"
	CodeUnsupportedType      Code = "UNSUPPORTED_TYPE"
	CodeRequestLimitExceeded Code = "REQUEST_LIMIT_EXCEEDED"
	CodeServerError          Code = "SERVER_ERROR"
	CodeUnsupportedMethod    Code = "UNSUPPORTED_METHOD"
	CodeServerUnavailable    Code = "SERVER_UNAVAILABLE"
	CodeTimeLimitExceeded    Code = "TIME_LIMIT_EXCEEDED"
)

var documentedCodes = []Code{
	CodeOK, CodeCreated, CodeInvalidCredentials, CodeInvalidParameters, CodeInvalidToken,
	CodeUnauthorizedAccess, CodeMissingResource, CodeUnsupportedType, CodeRequestLimitExceeded,
	CodeServerError, CodeUnsupportedMethod, CodeServerUnavailable, CodeTimeLimitExceeded,
}

// isDocumented reports whether a code is documented. Only those may be part of a message.
func (c Code) isDocumented() bool { return slices.Contains(documentedCodes, c) }

const maxRequestIDLength = 64

// requestID reads an id that is 1 to 64 characters of A-Z, a-z, 0-9 and '-'; any
// other becomes empty. It is the only remote text that may reach a log.
type requestID string

func (r *requestID) UnmarshalJSON(data []byte) error {
	text, ok := asText(data)
	if !ok || len(text) > maxRequestIDLength {
		return nil
	}
	for _, c := range []byte(text) {
		if !isAlphanumeric(c) && c != '-' {
			return nil
		}
	}
	*r = requestID(text)
	return nil
}
