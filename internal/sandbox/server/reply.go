package server

import (
	"net/http"

	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
)

// reply is a response before it is encoded.
type reply struct {
	status  int
	code    string
	message string
	data    any
}

func ok(data any) reply      { return reply{http.StatusOK, "OK", "Success", data} }
func created(data any) reply { return reply{http.StatusCreated, "OK", "Success", data} }
func done() reply            { return ok(nil) }

// codes of errors, by status.
var codes = map[int]string{
	http.StatusBadRequest:           "INVALID_PARAMETERS",
	http.StatusUnauthorized:         "INVALID_TOKEN",
	http.StatusForbidden:            "UNAUTHORIZED_ACCESS",
	http.StatusNotFound:             "MISSING_RESOURCE",
	http.StatusUnsupportedMediaType: "UNSUPPORTED_TYPE",
	http.StatusTooManyRequests:      "REQUEST_LIMIT_EXCEEDED",
	http.StatusInternalServerError:  "SERVER_ERROR",
	http.StatusNotImplemented:       "UNSUPPORTED_METHOD",
	http.StatusServiceUnavailable:   "SERVER_UNAVAILABLE",
	http.StatusGatewayTimeout:       "TIME_LIMIT_EXCEEDED",
}

// refuse returns an error with the code of its status.
func refuse(status int, message string) reply {
	code, ok := codes[status]
	if !ok {
		code = codes[http.StatusInternalServerError]
	}
	return reply{status: status, code: code, message: message}
}

func badRequest(p *validate.Problem) reply {
	return refuse(http.StatusBadRequest, p.Field+" "+p.Text+".")
}

func missing() reply {
	return refuse(http.StatusNotFound, "There is no such object.")
}
