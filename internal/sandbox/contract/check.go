package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// Exchange is one call and its response. The body of Request is not read;
// RequestBody is what was sent. White space counts as no body.
type Exchange struct {
	Request     *http.Request
	RequestBody []byte
	Status      int
	Header      http.Header
	Body        []byte
}

// Finding is the result of the check of one exchange.
type Finding struct {
	Operation Operation
	Status    int
	// Undocumented reports that the response is an error in the usual envelope
	// with a status that the description does not mention. That is not a
	// violation, because descriptions rarely list every error.
	Undocumented bool
	// Violations are the contradictions between the exchange and the
	// description, one sentence each.
	Violations []string
}

// Check compares an exchange with the description. A refused call is not
// checked, because it is wrong on purpose. Check returns false if the
// description does not have the operation.
func (d *Document) Check(e Exchange) (Finding, bool) {
	r, variables := d.find(e.Request.Method, e.Request.URL)
	if r == nil {
		return Finding{}, false
	}
	f := Finding{Operation: r.Operation, Status: e.Status}
	call := e.call(r, variables)
	if e.Status < http.StatusMultipleChoices {
		f.add("request", openapi3filter.ValidateRequest(context.Background(), call))
	}
	responses := r.plan.Operation.Responses
	switch {
	case responses.Status(e.Status) != nil || responses.Default() != nil:
		f.add(fmt.Sprintf("response %d", e.Status), openapi3filter.ValidateResponse(context.Background(), e.response(call)))
	case e.Status >= http.StatusBadRequest && isErrorEnvelope(e.Body):
		f.Undocumented = true
	default:
		f.Violations = append(f.Violations, fmt.Sprintf("response %d: the status is not described", e.Status))
	}
	return f, true
}

// Allows reports whether the description allows a request.
func (d *Document) Allows(request *http.Request, body []byte) bool {
	r, variables := d.find(request.Method, request.URL)
	if r == nil {
		return false
	}
	e := Exchange{Request: request, RequestBody: body}
	return openapi3filter.ValidateRequest(context.Background(), e.call(r, variables)) == nil
}

func (e Exchange) call(r *route, variables map[string]string) *openapi3filter.RequestValidationInput {
	request := e.Request.Clone(context.Background())
	body := bytes.TrimSpace(e.RequestBody)
	request.ContentLength = int64(len(body))
	request.Body = http.NoBody
	if len(body) > 0 {
		request.Body = io.NopCloser(bytes.NewReader(body))
	}
	return &openapi3filter.RequestValidationInput{
		Request: request, PathParams: variables, Route: r.plan,
		Options: &openapi3filter.Options{
			MultiError:                        true,
			SkipSettingDefaults:               true,
			RejectWhenRequestBodyNotSpecified: true,
			AuthenticationFunc:                openapi3filter.NoopAuthenticationFunc,
		},
	}
}

func (e Exchange) response(call *openapi3filter.RequestValidationInput) *openapi3filter.ResponseValidationInput {
	return &openapi3filter.ResponseValidationInput{
		RequestValidationInput: call, Status: e.Status, Header: e.Header, Options: call.Options,
		Body: io.NopCloser(bytes.NewReader(e.Body)),
	}
}

// isErrorEnvelope reports whether a body is an error as the API writes it.
func isErrorEnvelope(body []byte) bool {
	var envelope struct {
		Code      string          `json:"code"`
		Message   string          `json:"message"`
		RequestID string          `json:"requestId"`
		Data      *map[string]any `json:"data"`
	}
	err := json.Unmarshal(body, &envelope)
	return err == nil && envelope.Code != "" && envelope.Message != "" && envelope.RequestID != ""
}

func (f *Finding) add(where string, err error) {
	for _, problem := range flatten(err) {
		f.Violations = append(f.Violations, where+": "+problem)
	}
}

// flatten turns an error of the validator into one sentence per place, without
// the schemas.
func flatten(err error) []string {
	if err == nil {
		return nil
	}
	var all openapi3.MultiError
	var request *openapi3filter.RequestError
	var response *openapi3filter.ResponseError
	var schema *openapi3.SchemaError
	switch inner := err; {
	case isNow(inner, &all):
		var problems []string
		for _, one := range all {
			problems = append(problems, flatten(one)...)
		}
		return problems
	case isNow(inner, &request) && request.Err != nil:
		return prefixed(place(request), flatten(request.Err))
	case isNow(inner, &response) && response.Err != nil:
		return flatten(response.Err)
	case isNow(inner, &schema):
		return explain(schema)
	}
	text, _, _ := strings.Cut(err.Error(), "\nSchema:")
	return []string{text}
}

// isNow is errors.As for the error itself, not for the errors that it wraps:
// the wrapping error says where something is wrong.
func isNow[T error](err error, target *T) bool {
	same, is := err.(T) //nolint:errorlint // see above
	if is {
		*target = same
	}
	return is
}

func place(err *openapi3filter.RequestError) string {
	if err.Parameter != nil {
		return err.Parameter.In + " parameter " + err.Parameter.Name + ": "
	}
	return "body: "
}

func prefixed(prefix string, problems []string) []string {
	for i := range problems {
		problems[i] = prefix + problems[i]
	}
	return problems
}

func explain(err *openapi3.SchemaError) []string {
	var several openapi3.MultiError
	if errors.As(err.Origin, &several) {
		return flatten(several)
	}
	return []string{"/" + strings.Join(err.JSONPointer(), "/") + ": " + repeated.ReplaceAllString(err.Reason, "")}
}

// repeated is the place that the validator of version 3.1 repeats, sometimes
// wrongly.
var repeated = regexp.MustCompile(`^(error at "[^"]*": )?at '[^']*': `)
