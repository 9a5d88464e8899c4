// Package conformance tests servers of the application API: the operator, the sandbox, or any other.
package conformance

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"golang.org/x/time/rate"

	"github.com/smile-operator/smile-operator/internal/appapi"
)

// Target is a server, and what it has.
type Target struct {
	// URL of the server, without a slash at the end.
	URL string
	// Transport of the requests.
	Transport http.RoundTripper
	// Token of a caller that may make all calls in Namespace, and ReadOnly one of a caller that may make none.
	Token, ReadOnly string
	// Namespace has the users, and OtherNamespace is one in which Token permits nothing.
	Namespace, OtherNamespace string
	// Ready, NotReady and Suspended are names of users.
	Ready, NotReady, Suspended string
	// NotReadyCause is why NotReady is not.
	NotReadyCause string
	// Widget can be used for Ready.
	Widget string
	// Page is true if the server has a hosted page for Widget.
	Page bool
}

// Run tests a server.
func Run(t *testing.T, target Target) {
	s := &suite{
		Target: target, router: documented(t, target), pace: rate.NewLimiter(appapi.CallsPerSecond, appapi.CallsPerSecond),
	}
	t.Run("a token is minted", s.mints)
	t.Run("a token for a widget is minted", s.mintsForWidget)
	t.Run("a link is made", s.links)
	for name, calls := range map[string]operation{"token": s.tokens(), "link": s.pages()} {
		t.Run("refusals, "+name, func(t *testing.T) { s.refuses(t, calls) })
		t.Run("a caller without the right learns nothing, "+name, func(t *testing.T) { s.revealsNothing(t, calls) })
	}
	t.Run("requests that are no call", s.strays)
	t.Run("a generated client", s.generated)
}

type suite struct {
	Target
	router routers.Router
	// pace keeps the suite below the limit of a caller.
	pace *rate.Limiter
}

// documented reads the server's own OpenAPI document.
func documented(t *testing.T, target Target) routers.Router {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target.URL+"/openapi.json", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	status, _, body := target.send(t, r)
	if status != http.StatusOK {
		t.Fatalf("GET /openapi.json: %d", status)
	}
	document, err := openapi3.NewLoader().LoadFromData(body)
	if err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

func (s Target) send(t *testing.T, r *http.Request) (int, http.Header, []byte) {
	t.Helper()
	response, err := s.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s: the response may be cached", r.Method, r.URL.Path)
	}
	return response.StatusCode, response.Header, body
}

// request is a call, as a test changes it.
type request struct {
	method, path, body string
	header             http.Header
}

// operation is a call of the API, with what only its own requests may contain.
type operation struct {
	// path is the last part of its requests' paths.
	path string
	// body of a valid request.
	body string
	// refused are requests that only this operation refuses.
	refused map[string]refusal
}

// valid is a request that the server must answer.
func (s *suite) valid(o operation) request {
	q := request{http.MethodPost, s.pathOf(o, s.Namespace, s.Ready), o.body, http.Header{"Authorization": {"Bearer " + s.Token}}}
	if o.body != "" {
		q.header.Set("Content-Type", "application/json")
	}
	return q
}

func (s *suite) pathOf(o operation, namespace, name string) string {
	return "/v1/namespaces/" + namespace + "/smileusers/" + name + "/" + o.path
}

// do sends a request and checks that the response is as the server's document has it.
func (s *suite) do(t *testing.T, q request) (int, http.Header, []byte) {
	t.Helper()
	if err := s.pace.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), q.method, s.URL+q.path, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = q.header
	status, header, body := s.send(t, r)
	if header.Get("Smile-Call-Id") == "" && status != http.StatusMethodNotAllowed && s.isCall(q) {
		t.Errorf("%s %s: %d without a call id", q.method, q.path, status)
	}
	s.checkDocumented(t, r, status, header, body)
	return status, header, body
}

func (s *suite) isCall(q request) bool {
	return strings.HasSuffix(q.path, "/token") || strings.HasSuffix(q.path, "/link")
}

func (s *suite) checkDocumented(t *testing.T, r *http.Request, status int, header http.Header, body []byte) {
	t.Helper()
	route, parameters, err := s.router.FindRoute(r)
	if err != nil {
		return // no call
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route},
		Status:                 status, Header: header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if err := openapi3filter.ValidateResponse(t.Context(), input); err != nil {
		t.Errorf("%s %s: the response is not as documented: %v", r.Method, r.URL.Path, err)
	}
}

// problem is a problem document.
type problem struct {
	Type, Title, Detail, Reason, Cause, Field, CallID string
	Status                                            int
	RetryAt                                           *time.Time
}

// fails sends a request that must fail for a reason.
func (s *suite) fails(t *testing.T, q request, status int, reason string) problem {
	t.Helper()
	got, header, body := s.do(t, q)
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("%s %s: %d %s: %v", q.method, q.path, got, body, err)
	}
	if got != status || p.Status != status || p.Reason != reason || !strings.HasSuffix(p.Type, ":"+reason) {
		t.Errorf("%s %s: %d %s, want %d %s", q.method, q.path, got, body, status, reason)
	}
	if header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s: the response is %s", q.method, q.path, header.Get("Content-Type"))
	}
	if (header.Get("Retry-After") == "") != (p.RetryAt == nil) {
		t.Errorf("%s %s: Retry-After is %q, and retryAt %v", q.method, q.path, header.Get("Retry-After"), p.RetryAt)
	}
	return p
}
