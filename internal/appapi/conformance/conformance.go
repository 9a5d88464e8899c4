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
)

// Target is a server, and what it has.
type Target struct {
	// URL of the server, without a slash at the end.
	URL string
	// Transport of the requests.
	Transport http.RoundTripper
	// Token of a caller that may mint link tokens in Namespace, and ReadOnly one of a caller that may not.
	Token, ReadOnly string
	// Namespace has the users, and OtherNamespace is one in which Token permits nothing.
	Namespace, OtherNamespace string
	// Ready, NotReady and Suspended are names of users.
	Ready, NotReady, Suspended string
	// NotReadyCause is why NotReady is not.
	NotReadyCause string
}

// Run tests a server.
func Run(t *testing.T, target Target) {
	s := &suite{Target: target, router: documented(t, target)}
	t.Run("a token is minted", s.mints)
	t.Run("refusals", s.refuses)
	t.Run("who may not call learns nothing", s.revealsNothing)
	t.Run("requests that are no call", s.strays)
}

type suite struct {
	Target
	router routers.Router
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

func (s *suite) valid() request {
	return request{
		http.MethodPost, "/v1/namespaces/" + s.Namespace + "/smileusers/" + s.Ready + "/token", "",
		http.Header{"Authorization": {"Bearer " + s.Token}},
	}
}

// do sends a request and checks that the response is as the server's document has it.
func (s *suite) do(t *testing.T, q request) (int, http.Header, []byte) {
	t.Helper()
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

func (s *suite) isCall(q request) bool { return strings.HasSuffix(q.path, "/token") }

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

func (s *suite) mints(t *testing.T) {
	seen := map[string]bool{}
	for _, body := range []string{"", "{}"} {
		q := s.valid()
		q.body = body
		q.header.Set("Content-Type", "application/json")
		q.header.Set("Smile-Consent-Ref", "consent-1")
		q.header.Set("Smile-Purpose", "verification")
		status, _, text := s.do(t, q)
		var token struct {
			AccessToken, Mode, UserID, APIHost, ScriptURL string
			ExpiresAt                                     time.Time
		}
		if err := json.Unmarshal(text, &token); err != nil || status != http.StatusCreated {
			t.Fatalf("%d %s: %v", status, text, err)
		}
		if token.AccessToken == "" || token.UserID == "" || token.APIHost == "" || token.ScriptURL == "" || token.ExpiresAt.IsZero() {
			t.Errorf("the response lacks a value: %d bytes", len(text))
		}
		if seen[token.AccessToken] {
			t.Error("two calls gave the same token")
		}
		seen[token.AccessToken] = true
	}
}

// problem is a problem document.
type problem struct {
	Type, Title, Detail, Reason, Cause, CallID string
	Status                                     int
	RetryAt                                    *time.Time
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

func (s *suite) refuses(t *testing.T) {
	path := func(namespace, name string) func(*request) {
		return func(q *request) { q.path = "/v1/namespaces/" + namespace + "/smileusers/" + name + "/token" }
	}
	header := func(name string, values ...string) func(*request) {
		return func(q *request) { q.header[name] = values }
	}
	body := func(text string) func(*request) {
		return func(q *request) {
			q.body = text
			q.header.Set("Content-Type", "application/json")
		}
	}
	for name, test := range map[string]struct {
		change func(*request)
		status int
		reason string
	}{
		"no token":              {func(q *request) { q.header.Del("Authorization") }, 401, "Unauthenticated"},
		"garbage":               {header("Authorization", "Bearer garbage"), 401, "Unauthenticated"},
		"another scheme":        {header("Authorization", "Basic "+s.Token), 401, "Unauthenticated"},
		"two tokens":            {header("Authorization", "Bearer "+s.Token, "Bearer "+s.Token), 401, "Unauthenticated"},
		"a caller without":      {header("Authorization", "Bearer "+s.ReadOnly), 403, "Forbidden"},
		"another namespace":     {path(s.OtherNamespace, s.Ready), 403, "Forbidden"},
		"a missing namespace":   {path("no-such-namespace", s.Ready), 403, "Forbidden"},
		"a missing user":        {path(s.Namespace, "no-such-user"), 404, "UserNotFound"},
		"a suspended user":      {path(s.Namespace, s.Suspended), 409, "Suspended"},
		"an upper-case name":    {path(s.Namespace, "George"), 400, "InvalidName"},
		"an encoded name":       {path(s.Namespace, "..%2f"+s.Ready), 400, "InvalidName"},
		"a long name":           {path(s.Namespace, strings.Repeat("x", 254)), 400, "InvalidName"},
		"a parameter":           {func(q *request) { q.path += "?color=red" }, 400, "InvalidQuery"},
		"a field":               {body(`{"name":"x"}`), 400, "InvalidBody"},
		"an array":              {body(`[]`), 400, "InvalidBody"},
		"null":                  {body(`null`), 400, "InvalidBody"},
		"two objects":           {body(`{}{}`), 400, "InvalidBody"},
		"a large body":          {body(`{` + strings.Repeat(" ", 16<<10) + `}`), 413, "BodyTooLarge"},
		"a form":                {func(q *request) { q.body = "a=b" }, 415, "UnsupportedMediaType"},
		"two purposes":          {header("Smile-Purpose", "a", "b"), 400, "InvalidHeader"},
		"a long consent":        {header("Smile-Consent-Ref", strings.Repeat("x", 257)), 400, "InvalidHeader"},
		"a consent beyond text": {header("Smile-Consent-Ref", "\xc3\xa9"), 400, "InvalidHeader"},
	} {
		t.Run(name, func(t *testing.T) {
			q := s.valid()
			test.change(&q)
			s.fails(t, q, test.status, test.reason)
		})
	}
	t.Run("a user that is not ready", func(t *testing.T) {
		q := s.valid()
		path(s.Namespace, s.NotReady)(&q)
		if p := s.fails(t, q, http.StatusConflict, "UserNotReady"); p.Cause != s.NotReadyCause {
			t.Errorf("the cause is %q, want %q", p.Cause, s.NotReadyCause)
		}
	})
}

// revealsNothing compares the responses to callers without the right: they do not depend on what exists.
func (s *suite) revealsNothing(t *testing.T) {
	for _, token := range []string{"garbage", s.ReadOnly} {
		responses := map[string][]string{}
		for _, name := range []string{s.Ready, s.NotReady, s.Suspended, "no-such-user"} {
			q := s.valid()
			q.header.Set("Authorization", "Bearer "+token)
			q.path = "/v1/namespaces/" + s.Namespace + "/smileusers/" + name + "/token"
			_, _, body := s.do(t, q)
			var p problem
			if err := json.Unmarshal(body, &p); err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(string(body), p.CallID, "")
			responses[text] = append(responses[text], name)
		}
		if len(responses) != 1 {
			t.Errorf("the responses differ: %q", responses)
		}
	}
}

func (s *suite) strays(t *testing.T) {
	for _, test := range []struct {
		method, path string
		status       int
		reason       string
	}{
		{http.MethodGet, "/", 404, "NotFound"},
		{http.MethodPost, "/v1/namespaces/" + s.Namespace + "/smileusers/" + s.Ready, 404, "NotFound"},
		{http.MethodPost, "/v1/namespaces/" + s.Namespace + "/smileusers/" + s.Ready + "/token/", 404, "NotFound"},
		{http.MethodGet, "/v1/namespaces/" + s.Namespace + "/smileusers/" + s.Ready + "/token", 405, "MethodNotAllowed"},
		{http.MethodPost, "/openapi.json", 405, "MethodNotAllowed"},
	} {
		q := s.valid()
		q.method, q.path = test.method, test.path
		s.fails(t, q, test.status, test.reason)
	}
}
