package appapi

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/go-chi/chi/v5"
	"k8s.io/utils/lru"

	"github.com/smile-operator/smile-operator/internal/ratelimit"
)

const (
	// maxToken is how long a caller's token may be.
	maxToken = 8 << 10
	// maxNote is the largest length of HeaderConsentRef and of HeaderPurpose.
	maxNote = 256
	// maxNamespace and maxName are how long the names of Kubernetes may be.
	maxNamespace, maxName = 63, 253
)

var (
	namespaceForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	nameForm      = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	tokenForm     = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`) // RFC 6750
	noteForm      = regexp.MustCompile(`^[ -~]*$`)
)

// errPanic replaces the value of a panic, which may quote anything.
var errPanic = errors.New("the handler panicked")

// guarded is answer, and turns a panic into an error.
func (h *handler) guarded(ctx context.Context, call *Call, r *http.Request) (answer *Answer, relayed bool, err error) {
	defer func() {
		if recover() != nil {
			answer, relayed, err = nil, false, errPanic
		}
	}()
	return h.answer(ctx, call, r)
}

// answer runs the checks in order and stops at the first that fails, so that the caller learns nothing from the others.
func (h *handler) answer(ctx context.Context, call *Call, r *http.Request) (answer *Answer, relayed bool, err error) {
	misnamed := call.readPath(r) // first for the record, although it is reported later
	bearer, err := h.authenticate(ctx, call, r)
	if err != nil {
		return nil, false, err
	}
	if wait, ok := h.callers.Take(call.Caller.GetName()); !ok {
		return nil, false, &Problem{Reason: ReasonTooManyRequests, RetryAfter: wait}
	}
	if misnamed != nil {
		return nil, false, misnamed
	}
	if err := h.authorize(ctx, call); err != nil {
		return nil, false, err
	}
	body, err := call.read(r)
	if err != nil {
		return nil, false, err
	}
	if h.Relay != nil {
		request := Request{Call: call, Bearer: bearer, Body: body, Relayed: r.Header.Get(HeaderRelayed) != ""}
		if answer, err := h.Relay.Relay(ctx, request); answer != nil || err != nil {
			return answer, answer != nil, err
		}
	}
	result, err := call.Operation.run(ctx, h, call)
	if err != nil {
		return nil, false, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	return &Answer{Status: http.StatusCreated, Header: header, Body: encode(result)}, false, nil
}

// authenticate identifies the caller. For each source, the number of checks of invalid tokens is limited. Tokens that were valid
// before are always checked, because all requests may come from one source, such as an ingress.
func (h *handler) authenticate(ctx context.Context, call *Call, r *http.Request) (Secret, error) {
	source := ratelimit.SourceOf(r.RemoteAddr)
	bearer := bearerOf(r)
	if h.failures.Empty(source) && !h.proven.has(bearer) {
		wait, _ := h.failures.Take(source)
		return "", &Problem{Reason: ReasonTooManyRequests, RetryAfter: wait}
	}
	if bearer == "" {
		_, _ = h.failures.Take(source)
		return "", NewProblem(ReasonUnauthenticated)
	}
	caller, err := h.Gate.Authenticate(ctx, string(bearer))
	if err != nil {
		return "", NewProblem(ReasonAccessReviewFailed).Because(err)
	}
	if caller == nil {
		_, _ = h.failures.Take(source)
		return "", NewProblem(ReasonUnauthenticated)
	}
	h.proven.add(bearer)
	call.Caller = caller
	return bearer, nil
}

// bearerOf is the token in the one Authorization header of a request; empty when there is no such token.
func bearerOf(r *http.Request) Secret {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	token = strings.TrimLeft(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || len(token) > maxToken || !tokenForm.MatchString(token) {
		return ""
	}
	return Secret(token)
}

func (h *handler) authorize(ctx context.Context, call *Call) error {
	allowed, err := h.Gate.Authorize(ctx, call.Caller, Access{
		Verb: call.Operation.Verb, Resource: call.Operation.Resource, Subresource: call.Operation.Subresource,
		Namespace: call.Namespace, Name: call.Name,
	})
	if err != nil {
		return NewProblem(ReasonAccessReviewFailed).Because(err)
	}
	if !allowed {
		return NewProblem(ReasonForbidden)
	}
	return nil
}

// readPath reads namespace and name. A name that is encoded is not valid: names need no encoding.
func (c *Call) readPath(r *http.Request) error {
	namespace, name := chi.URLParam(r, "namespace"), chi.URLParam(r, "name")
	if len(namespace) > maxNamespace || !namespaceForm.MatchString(namespace) || !validName(name) {
		return NewProblem(ReasonInvalidName)
	}
	c.Namespace, c.Name = namespace, name
	return nil
}

// read reads the rest of a request.
func (c *Call) read(r *http.Request) (body []byte, err error) {
	if err := c.readQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	if !c.readNotes(r.Header) {
		return nil, NewProblem(ReasonInvalidHeader)
	}
	if body, err = readBody(r); err != nil {
		return nil, err
	}
	if c.Operation.body != nil {
		return body, c.Operation.body(c, body)
	}
	if len(body) > 0 && !emptyObject(body) {
		return nil, NewProblem(ReasonInvalidBody)
	}
	return body, nil
}

// readQuery reads the only query parameter: the name of a widget.
func (c *Call) readQuery(query string) error {
	if query == "" {
		return nil
	}
	values, err := url.ParseQuery(query)
	widget, named := values["widget"]
	if err != nil || !c.Operation.widgetQuery || !named || len(values) != 1 || len(widget) != 1 {
		return NewProblem(ReasonInvalidQuery)
	}
	if !validName(widget[0]) {
		return &Problem{Reason: ReasonInvalidQuery, Field: "widget"}
	}
	c.Widget = widget[0]
	return nil
}

// readBody reads a body, which is JSON if it is not empty.
func readBody(r *http.Request) (body []byte, err error) {
	body, err = io.ReadAll(http.MaxBytesReader(nil, r.Body, MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, NewProblem(ReasonBodyTooLarge)
	case err != nil:
		return nil, NewProblem(ReasonInvalidBody)
	case len(body) == 0:
		return nil, nil
	case !isJSON(r.Header):
		return nil, NewProblem(ReasonUnsupportedMediaType)
	}
	return body, nil
}

// readNotes reads the headers for the audit log. It reports whether they are valid.
func (c *Call) readNotes(header http.Header) bool {
	for name, into := range map[string]*string{HeaderConsentRef: &c.ConsentRef, HeaderPurpose: &c.Purpose} {
		values := header.Values(name)
		if len(values) > 1 || len(values) == 1 && (len(values[0]) > maxNote || !noteForm.MatchString(values[0])) {
			return false
		}
		*into = strings.Join(values, "")
	}
	return true
}

func isJSON(header http.Header) bool {
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && media == "application/json" && header.Get("Content-Encoding") == ""
}

// emptyObject reports whether a body is a JSON object without fields.
func emptyObject(body []byte) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(body, &fields) == nil && fields != nil && len(fields) == 0
}

// provenTokens remembers the hashes of tokens that were valid when last checked.
type provenTokens struct{ hashes *lru.Cache }

func newProvenTokens() *provenTokens { return &provenTokens{lru.New(ratelimit.MaxKeys)} }

func (p *provenTokens) has(token Secret) bool {
	_, ok := p.hashes.Get(sha256.Sum256([]byte(token)))
	return ok
}

func (p *provenTokens) add(token Secret) { p.hashes.Add(sha256.Sum256([]byte(token)), nil) }
