package appapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/appapi"
)

// linker makes links, and remembers the calls.
type linker struct{ calls []*appapi.Call }

func (l *linker) CreateLink(_ context.Context, call *appapi.Call) (appapi.Link, error) {
	l.calls = append(l.calls, call)
	return appapi.Link{URL: "https://connect.example/wink/shop/wink#code", ExpiresAt: noon.Add(call.ExpiresIn)}, nil
}

// serveLinks is an API that makes links, for everybody.
func serveLinks() (http.Handler, *linker) {
	s, links := newServer(), &linker{}
	s.authorize = func(_ appapi.Caller, access appapi.Access) (bool, error) { return access.Subresource == "link", nil }
	return appapi.NewHandler(appapi.Config{
		Gate: s, People: s, Links: links, Audit: func(appapi.Record) {}, Observe: func(string, string, time.Duration) {},
		Failed: func(*appapi.Call, error) {}, Now: func() time.Time { return noon },
	}), links
}

func postLink(t *testing.T, api http.Handler, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/namespaces/shop/smileusers/george/link", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer token-of-shop")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w
}

func TestALink(t *testing.T) {
	api, links := serveLinks()
	w := postLink(t, api, `{"widget":"wink","expiresIn":"1h30m"}`)
	want := `{"url":"https://connect.example/wink/shop/wink#code","expiresAt":"2026-03-31T13:30:00Z"}` + "\n"
	if w.Code != http.StatusCreated || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := links.calls[0]; got.Widget != "wink" || got.Name != "george" || got.Operation.Subresource != "link" {
		t.Errorf("%+v", got)
	}
}

// FuzzLinkBodies compares the reading of bodies with independent rules.
func FuzzLinkBodies(f *testing.F) {
	for _, seed := range []string{
		`{"widget":"wink"}`, `{"widget":"wink","expiresIn":"24h"}`, `{"Widget":"wink"}`, `{"widget":"wink"}{}`, `{"widget":null}`,
		`{"widget":"wink","expiresIn":null}`, `{"widget":"a..b"}`, `{"widget":"wink","expiresIn":"-1h"}`, `{"widget":"wink","expiresIn":600}`,
		`[]`, `null`, ``, `{"widget":"wink","expiresIn":"1m0.5s"}`, `{"widget":"wink","x":1}`, `{"\u0077idget":"wink"}`,
	} {
		f.Add(seed)
	}
	label := regexp.MustCompile(`^[a-z0-9]+(-+[a-z0-9]+)*$`)
	f.Fuzz(func(t *testing.T, body string) {
		api, links := serveLinks()
		w := postLink(t, api, body)
		if len(body) > appapi.MaxBody {
			t.Skip()
		}
		want := wantedSpan(body, label)
		if (w.Code == http.StatusCreated) != (want > 0) {
			t.Fatalf("%q: %d %s, want a link for %s", body, w.Code, w.Body, want)
		}
		if want > 0 && links.calls[0].ExpiresIn != want {
			t.Fatalf("%q: valid for %s, want %s", body, links.calls[0].ExpiresIn, want)
		}
		if want == 0 && reasonOf(w) != appapi.ReasonInvalidBody {
			t.Fatalf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}

// wantedSpan is for how long a body asks for a link; 0 if it is not valid.
func wantedSpan(body string, label *regexp.Regexp) time.Duration {
	var fields map[string]any
	if json.Unmarshal([]byte(body), &fields) != nil {
		return 0
	}
	widget, named := fields["widget"].(string)
	given, present := fields["expiresIn"]
	delete(fields, "widget")
	delete(fields, "expiresIn")
	if !named || len(fields) > 0 || len(widget) > 253 {
		return 0
	}
	for _, part := range strings.Split(widget, ".") {
		if !label.MatchString(part) {
			return 0
		}
	}
	if !present || given == nil {
		return 10 * time.Minute
	}
	text, ok := given.(string)
	span, err := time.ParseDuration(text)
	if !ok || err != nil || span < time.Minute || span > 24*time.Hour {
		return 0
	}
	return span
}
