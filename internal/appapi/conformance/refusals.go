package conformance

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// refusal is a change to a valid request, and what the server must then answer.
type refusal struct {
	change func(*request)
	status int
	reason string
	// field that the problem must name; empty if it names none.
	field string
}

func path(p string) func(*request) { return func(q *request) { q.path = p } }

func query(text string) func(*request) { return func(q *request) { q.path += "?" + text } }

func header(name string, values ...string) func(*request) {
	return func(q *request) { q.header[name] = values }
}

func body(text string) func(*request) {
	return func(q *request) {
		q.body = text
		q.header.Set("Content-Type", "application/json")
	}
}

// tokens is the operation that mints link tokens.
func (s *suite) tokens() operation {
	return operation{path: "token", refused: map[string]refusal{
		"a field":              {body(`{"name":"x"}`), 400, "InvalidBody", ""},
		"a widget in the body": {body(`{"widget":"` + s.Widget + `"}`), 400, "InvalidBody", ""},
		"a missing widget":     {query("widget=no-such-widget"), 404, "WidgetNotFound", ""},
		"an upper-case widget": {query("widget=Wink"), 400, "InvalidQuery", "widget"},
		"two widgets":          {query("widget=" + s.Widget + "&widget=" + s.Widget), 400, "InvalidQuery", ""},
	}}
}

// pages is the operation that makes links to the hosted page.
func (s *suite) pages() operation {
	return operation{path: "link", body: `{"widget":"` + s.Widget + `"}`, refused: map[string]refusal{
		"no body":                  {body(""), 400, "InvalidBody", ""},
		"no widget":                {body(`{}`), 400, "InvalidBody", "widget"},
		"a widget that is no text": {body(`{"widget":1}`), 400, "InvalidBody", ""},
		"a widget in the query":    {query("widget=" + s.Widget), 400, "InvalidQuery", ""},
		"a missing widget":         {body(`{"widget":"no-such-widget"}`), 404, "WidgetNotFound", ""},
		"an upper-case widget":     {body(`{"widget":"Wink"}`), 400, "InvalidBody", "widget"},
		"a field":                  {body(`{"widget":"` + s.Widget + `","name":"x"}`), 400, "InvalidBody", ""},
		"too short":                {body(`{"widget":"` + s.Widget + `","expiresIn":"59s"}`), 400, "InvalidBody", "expiresIn"},
		"too long":                 {body(`{"widget":"` + s.Widget + `","expiresIn":"24h1s"}`), 400, "InvalidBody", "expiresIn"},
		"a span without a unit":    {body(`{"widget":"` + s.Widget + `","expiresIn":"600"}`), 400, "InvalidBody", "expiresIn"},
	}}
}

// refused are the requests that every operation refuses.
func (s *suite) refused(o operation) map[string]refusal {
	return map[string]refusal{
		"no token":              {func(q *request) { q.header.Del("Authorization") }, 401, "Unauthenticated", ""},
		"garbage":               {header("Authorization", "Bearer garbage"), 401, "Unauthenticated", ""},
		"another scheme":        {header("Authorization", "Basic "+s.Token), 401, "Unauthenticated", ""},
		"two tokens":            {header("Authorization", "Bearer "+s.Token, "Bearer "+s.Token), 401, "Unauthenticated", ""},
		"a caller without":      {header("Authorization", "Bearer "+s.ReadOnly), 403, "Forbidden", ""},
		"another namespace":     {path(s.pathOf(o, s.OtherNamespace, s.Ready)), 403, "Forbidden", ""},
		"a missing namespace":   {path(s.pathOf(o, "no-such-namespace", s.Ready)), 403, "Forbidden", ""},
		"a missing user":        {path(s.pathOf(o, s.Namespace, "no-such-user")), 404, "UserNotFound", ""},
		"a suspended user":      {path(s.pathOf(o, s.Namespace, s.Suspended)), 409, "Suspended", ""},
		"an upper-case name":    {path(s.pathOf(o, s.Namespace, "George")), 400, "InvalidName", ""},
		"an encoded name":       {path(s.pathOf(o, s.Namespace, "..%2f"+s.Ready)), 400, "InvalidName", ""},
		"a long name":           {path(s.pathOf(o, s.Namespace, strings.Repeat("x", 254))), 400, "InvalidName", ""},
		"a parameter":           {query("color=red"), 400, "InvalidQuery", ""},
		"an array":              {body(`[]`), 400, "InvalidBody", ""},
		"null":                  {body(`null`), 400, "InvalidBody", ""},
		"two objects":           {body(`{}{}`), 400, "InvalidBody", ""},
		"a large body":          {body(`{` + strings.Repeat(" ", 16<<10) + `}`), 413, "BodyTooLarge", ""},
		"a form":                {form, 415, "UnsupportedMediaType", ""},
		"two purposes":          {header("Smile-Purpose", "a", "b"), 400, "InvalidHeader", ""},
		"a long consent":        {header("Smile-Consent-Ref", strings.Repeat("x", 257)), 400, "InvalidHeader", ""},
		"a consent beyond text": {header("Smile-Consent-Ref", "\xc3\xa9"), 400, "InvalidHeader", ""},
	}
}

func form(q *request) {
	q.body = "a=b"
	q.header.Set("Content-Type", "application/x-www-form-urlencoded")
}

func (s *suite) refuses(t *testing.T, o operation) {
	for _, table := range []map[string]refusal{s.refused(o), o.refused} {
		for name, test := range table {
			t.Run(name, func(t *testing.T) {
				q := s.valid(o)
				test.change(&q)
				if p := s.fails(t, q, test.status, test.reason); p.Field != test.field {
					t.Errorf("the problem is of the field %q, want %q", p.Field, test.field)
				}
			})
		}
	}
	t.Run("a user that is not ready", func(t *testing.T) {
		q := s.valid(o)
		q.path = s.pathOf(o, s.Namespace, s.NotReady)
		if p := s.fails(t, q, http.StatusConflict, "UserNotReady"); p.Cause != s.NotReadyCause {
			t.Errorf("the cause is %q, want %q", p.Cause, s.NotReadyCause)
		}
	})
}

// revealsNothing compares the responses to callers without the right: they do not depend on what exists.
func (s *suite) revealsNothing(t *testing.T, o operation) {
	for _, token := range []string{"garbage", s.ReadOnly} {
		responses := map[string][]string{}
		for _, name := range []string{s.Ready, s.NotReady, s.Suspended, "no-such-user"} {
			q := s.valid(o)
			q.header.Set("Authorization", "Bearer "+token)
			q.path = s.pathOf(o, s.Namespace, name)
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
	user := "/v1/namespaces/" + s.Namespace + "/smileusers/" + s.Ready
	for _, test := range []struct {
		method, path string
		status       int
		reason       string
	}{
		{http.MethodGet, "/", 404, "NotFound"},
		{http.MethodPost, user, 404, "NotFound"},
		{http.MethodPost, user + "/token/", 404, "NotFound"},
		{http.MethodPost, user + "/links", 404, "NotFound"},
		{http.MethodGet, user + "/token", 405, "MethodNotAllowed"},
		{http.MethodGet, user + "/link", 405, "MethodNotAllowed"},
		{http.MethodPost, "/openapi.json", 405, "MethodNotAllowed"},
	} {
		q := s.valid(s.tokens())
		q.method, q.path = test.method, test.path
		s.fails(t, q, test.status, test.reason)
	}
}
