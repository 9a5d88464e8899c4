package appapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/appapi"
)

var noon = time.Date(2026, 3, 31, 12, 0, 0, 500_000_000, time.UTC)

type caller string

func (c caller) GetName() string { return string(c) }

// server is an API over people of its own.
type server struct {
	http.Handler
	authenticate func(token string) (appapi.Caller, error)
	authorize    func(caller appapi.Caller, access appapi.Access) (bool, error)
	people       func(ctx context.Context, call *appapi.Call) (appapi.LinkToken, error)
	relay        func(request appapi.Request) (*appapi.Answer, error)

	mu       sync.Mutex
	now      time.Time
	records  []appapi.Record
	outcomes []string
	failed   []error
	minted   int
}

func newServer() *server {
	s := &server{now: noon}
	s.authenticate = func(token string) (appapi.Caller, error) {
		if name, ok := strings.CutPrefix(token, "token-of-"); ok {
			return caller(name), nil
		}
		return nil, nil
	}
	s.authorize = func(of appapi.Caller, access appapi.Access) (bool, error) {
		want := appapi.Access{Verb: "create", Resource: "smileusers", Subresource: "token", Namespace: "shop", Name: access.Name}
		return access == want && of.GetName() != "reader", nil
	}
	s.people = func(_ context.Context, call *appapi.Call) (appapi.LinkToken, error) { return s.mint(call) }
	s.Handler = appapi.NewHandler(appapi.Config{
		Gate: s, People: s, Relay: s,
		Audit: func(r appapi.Record) { s.locked(func() { s.records = append(s.records, r) }) },
		Observe: func(op, outcome string, _ time.Duration) {
			s.locked(func() { s.outcomes = append(s.outcomes, op+" "+outcome) })
		},
		Failed: func(_ *appapi.Call, err error) { s.locked(func() { s.failed = append(s.failed, err) }) },
		Now:    func() (now time.Time) { s.locked(func() { now = s.now }); return now },
	})
	return s
}

func (s *server) locked(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *server) Authenticate(_ context.Context, token string) (appapi.Caller, error) {
	return s.authenticate(token)
}

func (s *server) Authorize(_ context.Context, of appapi.Caller, access appapi.Access) (bool, error) {
	return s.authorize(of, access)
}

func (s *server) CreateLinkToken(ctx context.Context, call *appapi.Call) (appapi.LinkToken, error) {
	return s.people(ctx, call)
}

func (s *server) Relay(_ context.Context, request appapi.Request) (*appapi.Answer, error) {
	if s.relay == nil {
		return nil, nil
	}
	return s.relay(request)
}

func (s *server) mint(call *appapi.Call) (token appapi.LinkToken, err error) {
	s.locked(func() { s.minted++; token.AccessToken = appapi.Secret(fmt.Sprint("access-", s.minted)) })
	switch call.Name {
	case "george":
		call.UID = "uid-1"
		token.ExpiresAt, token.Mode, token.UserID = noon.Add(5*time.Hour), "SANDBOX", "tenant-1"
		token.APIHost, token.ScriptURL = "https://api.example/v1", "https://api.example/v2/smile.v2.js"
		return token, nil
	case "lame":
		return token, &appapi.Problem{Reason: appapi.ReasonUserNotReady, Cause: "ConnectionNotReady"}
	case "paused":
		return token, appapi.NewProblem(appapi.ReasonSuspended)
	default:
		return token, appapi.NewProblem(appapi.ReasonUserNotFound)
	}
}

const georgesPath = "/v1/namespaces/shop/smileusers/george/token"

// post makes a call as somebody.
func (s *server) post(t *testing.T, path, token string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	for _, how := range change {
		how(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func reasonOf(w *httptest.ResponseRecorder) appapi.Reason {
	var document struct{ Reason appapi.Reason }
	_ = json.Unmarshal(w.Body.Bytes(), &document)
	return document.Reason
}

func TestTheResponse(t *testing.T) {
	s := newServer()
	w := s.post(t, georgesPath, "token-of-shop")
	want := `{"accessToken":"access-1","expiresAt":"2026-03-31T17:00:00Z","mode":"SANDBOX","userId":"tenant-1",` +
		`"apiHost":"https://api.example/v1","scriptUrl":"https://api.example/v2/smile.v2.js"}` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" || w.Code != http.StatusCreated {
		t.Errorf("%d:\n%s", w.Code, diff)
	}
}

func TestTheProblemDocument(t *testing.T) {
	s := newServer()
	s.people = func(context.Context, *appapi.Call) (appapi.LinkToken, error) {
		return appapi.LinkToken{}, &appapi.Problem{Reason: appapi.ReasonThrottled, Cause: "Throttled", RetryAfter: 1200 * time.Millisecond, Err: errors.New("secret")}
	}
	w := s.post(t, georgesPath, "token-of-shop")
	id := w.Header().Get(appapi.HeaderCallID)
	want := `{"type":"tag:smile-operator.io,2026:Throttled","title":"The call budget is spent","status":503,` +
		`"detail":"Smile, or the operator's own limit, permits no more calls at the moment.","reason":"Throttled","cause":"Throttled",` +
		`"retryAt":"2026-03-31T12:00:02Z","callId":"` + id + `"}` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Error(diff)
	}
	if got := w.Header().Get("Retry-After"); got != "2" || id == "" {
		t.Errorf("Retry-After %q, call %q", got, id)
	}
}

// Each problem of each operation can be provoked, and is answered with the status of the catalog.
func TestEachProblem(t *testing.T) {
	people := func(err error) func(*server) {
		return func(s *server) {
			s.people = func(context.Context, *appapi.Call) (appapi.LinkToken, error) { return appapi.LinkToken{}, err }
		}
	}
	plain := func(reason appapi.Reason) func(*server) { return people(appapi.NewProblem(reason)) }
	path := func(path string) func(*http.Request) { return func(r *http.Request) { r.URL.Path = path } }
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body = http.NoBody
			r.Header.Set("Content-Type", "application/json")
			*r = *r.WithContext(r.Context())
			r.Body = readCloser{strings.NewReader(text)}
		}
	}
	type provocation struct {
		server  func(*server)
		request func(*http.Request)
	}
	provocations := map[appapi.Reason]provocation{
		appapi.ReasonNotFound:             {nil, path("/v1")},
		appapi.ReasonMethodNotAllowed:     {nil, func(r *http.Request) { r.Method = http.MethodGet }},
		appapi.ReasonInvalidName:          {nil, path("/v1/namespaces/shop/smileusers/_/token")},
		appapi.ReasonInvalidQuery:         {nil, func(r *http.Request) { r.URL.RawQuery = "a=b" }},
		appapi.ReasonInvalidHeader:        {nil, func(r *http.Request) { r.Header.Set(appapi.HeaderPurpose, "\n") }},
		appapi.ReasonInvalidBody:          {nil, body("{")},
		appapi.ReasonBodyTooLarge:         {nil, body(strings.Repeat(" ", appapi.MaxBody+1))},
		appapi.ReasonUnsupportedMediaType: {nil, func(r *http.Request) { body("{}")(r); r.Header.Set("Content-Type", "text/plain") }},
		appapi.ReasonUnauthenticated:      {nil, func(r *http.Request) { r.Header.Del("Authorization") }},
		appapi.ReasonForbidden:            {nil, path("/v1/namespaces/bank/smileusers/george/token")},
		appapi.ReasonTooManyRequests: {func(s *server) {
			for range 40 {
				s.post(t, georgesPath, "token-of-shop")
			}
		}, nil},
		appapi.ReasonInternalError: {people(errors.New("unexpected")), nil},
		appapi.ReasonAccessReviewFailed: {func(s *server) {
			s.authenticate = func(string) (appapi.Caller, error) { return nil, errors.New("down") }
		}, nil},
		appapi.ReasonDeadlineExceeded: {people(context.DeadlineExceeded), func(r *http.Request) {
			ended, cancel := context.WithCancel(r.Context())
			cancel()
			*r = *r.WithContext(ended)
		}},
		appapi.ReasonUserNotFound:      {plain(appapi.ReasonUserNotFound), nil},
		appapi.ReasonUserNotReady:      {plain(appapi.ReasonUserNotReady), nil},
		appapi.ReasonSuspended:         {plain(appapi.ReasonSuspended), nil},
		appapi.ReasonThrottled:         {plain(appapi.ReasonThrottled), nil},
		appapi.ReasonSmileUnavailable:  {plain(appapi.ReasonSmileUnavailable), nil},
		appapi.ReasonLeaderUnavailable: {plain(appapi.ReasonLeaderUnavailable), nil},
		appapi.ReasonLeadershipLost:    {plain(appapi.ReasonLeadershipLost), nil},
		appapi.ReasonWidgetNotFound:    {plain(appapi.ReasonWidgetNotFound), nil},
		appapi.ReasonWidgetNotReady:    {plain(appapi.ReasonWidgetNotReady), nil},
		appapi.ReasonWidgetMismatch:    {plain(appapi.ReasonWidgetMismatch), nil},
		appapi.ReasonPageNotServed: {func(s *server) {
			s.authorize = func(appapi.Caller, appapi.Access) (bool, error) { return true, nil }
		}, func(r *http.Request) {
			body(`{"widget":"wink"}`)(r)
			r.URL.Path = "/v1/namespaces/shop/smileusers/george/link"
		}},
	}
	for _, reason := range appapi.AllReasons() {
		provoked, ok := provocations[reason]
		if !ok {
			t.Errorf("no request provokes %s", reason)
			continue
		}
		s := newServer()
		if provoked.server != nil {
			provoked.server(s)
		}
		w := s.post(t, georgesPath, "token-of-shop", func(r *http.Request) {
			if provoked.request != nil {
				provoked.request(r)
			}
		})
		if reasonOf(w) != reason || w.Code != reason.Status() {
			t.Errorf("%s: %d %s", reason, w.Code, w.Body)
		}
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// Every call has one record, whatever its result. A request that matches no operation has none.
func TestEachCallIsRecordedOnce(t *testing.T) {
	s := newServer()
	s.post(t, georgesPath, "token-of-shop", func(r *http.Request) {
		r.Header.Set(appapi.HeaderConsentRef, "consent-7")
		r.Header.Set(appapi.HeaderPurpose, "loan")
	})
	s.post(t, georgesPath, "garbage")
	s.post(t, georgesPath, "token-of-reader")
	s.post(t, "/v1/namespaces/shop/smileusers/_/token", "token-of-shop")
	s.post(t, "/v1/namespaces/shop/smileusers/nobody/token", "token-of-shop")
	s.post(t, "/elsewhere", "token-of-shop")
	s.people = func(context.Context, *appapi.Call) (appapi.LinkToken, error) { panic("quotes a token") }
	s.post(t, georgesPath, "token-of-shop")
	s.relay = func(appapi.Request) (*appapi.Answer, error) {
		return &appapi.Answer{Status: http.StatusCreated, Header: http.Header{}, Body: []byte("{}")}, nil
	}
	s.post(t, georgesPath, "token-of-shop")
	var got []string
	ids := map[string]bool{}
	for _, r := range s.records {
		name := ""
		if r.Call.Caller != nil {
			name = r.Call.Caller.GetName()
		}
		ids[r.Call.ID] = true
		got = append(got, strings.Join([]string{name, r.Call.Namespace, r.Call.Name, r.Call.UID, r.Call.ConsentRef, r.Call.Purpose, string(r.Reason), fmt.Sprint(r.Relayed)}, ","))
	}
	want := []string{
		"shop,shop,george,uid-1,consent-7,loan,,false",
		",shop,george,,,,Unauthenticated,false",
		"reader,shop,george,,,,Forbidden,false",
		"shop,,,,,,InvalidName,false",
		"shop,shop,nobody,,,,UserNotFound,false",
		"shop,shop,george,,,,InternalError,false",
		"shop,shop,george,,,,,true",
	}
	if diff := cmp.Diff(want, got); diff != "" || len(ids) != len(want) {
		t.Errorf("%d ids:\n%s", len(ids), diff)
	}
	outcomes := []string{
		"CreateLinkToken Succeeded", "CreateLinkToken Unauthenticated", "CreateLinkToken Forbidden", "CreateLinkToken InvalidName",
		"CreateLinkToken UserNotFound", " NotFound", "CreateLinkToken InternalError", "CreateLinkToken Relayed",
	}
	if diff := cmp.Diff(outcomes, s.outcomes); diff != "" {
		t.Error(diff)
	}
	if len(s.failed) != 1 || strings.Contains(s.failed[0].Error(), "quotes") {
		t.Errorf("failed %v", s.failed)
	}
}

// Nothing is looked up, and no body is read, for a caller without the right.
func TestARefusalComesFirst(t *testing.T) {
	s := newServer()
	s.people = func(context.Context, *appapi.Call) (appapi.LinkToken, error) {
		t.Error("a user was looked up")
		return appapi.LinkToken{}, nil
	}
	s.relay = func(appapi.Request) (*appapi.Answer, error) {
		t.Error("a call was passed on")
		return nil, nil
	}
	for token, status := range map[string]int{"garbage": 401, "token-of-reader": 403} {
		w := s.post(t, georgesPath, token, func(r *http.Request) {
			r.Body = readCloser{strings.NewReader("{")}
			r.URL.RawQuery = "x=y"
		})
		if w.Code != status {
			t.Errorf("%s: %d %s", token, w.Code, w.Body)
		}
	}
}

func TestACallerIsLimitedAlone(t *testing.T) {
	s := newServer()
	counts := map[int]int{}
	for range 50 {
		counts[s.post(t, georgesPath, "token-of-shop").Code]++
	}
	if counts[201] != 40 || counts[429] != 10 {
		t.Errorf("50 calls at once: %v", counts)
	}
	if w := s.post(t, georgesPath, "token-of-other"); w.Code != 201 {
		t.Errorf("another caller: %d", w.Code)
	}
	s.locked(func() { s.now = s.now.Add(time.Second) })
	counts = map[int]int{}
	for range 30 {
		counts[s.post(t, georgesPath, "token-of-shop").Code]++
	}
	if counts[201] != 20 || counts[429] != 10 {
		t.Errorf("30 calls a second later: %v", counts)
	}
}

// Only a limited number of invalid tokens from one source is checked. A token that was valid before is always checked.
func TestGarbageIsLimited(t *testing.T) {
	s := newServer()
	s.post(t, georgesPath, "token-of-shop")
	checked, valid := 0, s.authenticate
	s.authenticate = func(token string) (appapi.Caller, error) { checked++; return valid(token) }
	counts := map[int]int{}
	for i := range 150 {
		counts[s.post(t, georgesPath, fmt.Sprint("garbage-", i)).Code]++
	}
	if counts[401] != 100 || counts[429] != 50 || checked != 100 {
		t.Errorf("%d of 150 garbage tokens were checked: %v", checked, counts)
	}
	if w := s.post(t, georgesPath, "token-of-shop"); w.Code != 201 {
		t.Errorf("a token that was valid before: %d", w.Code)
	}
	if w := s.post(t, georgesPath, "garbage", func(r *http.Request) { r.RemoteAddr = "198.51.100.1:1" }); w.Code != 401 {
		t.Errorf("another source: %d", w.Code)
	}
}

func TestAMethodThatIsNotAllowed(t *testing.T) {
	s := newServer()
	w := s.post(t, georgesPath, "token-of-shop", func(r *http.Request) { r.Method = http.MethodDelete })
	if got := w.Header().Get("Allow"); got != "POST" {
		t.Errorf("Allow: %q", got)
	}
}

// What is passed on is what the caller sent.
func TestWhatIsRelayed(t *testing.T) {
	s := newServer()
	var got appapi.Request
	s.relay = func(request appapi.Request) (*appapi.Answer, error) {
		got = request
		return nil, nil
	}
	s.post(t, georgesPath, "token-of-shop", func(r *http.Request) {
		r.Header.Set(appapi.HeaderRelayed, "1")
		r.Header.Set("Content-Type", "application/json")
		r.Body = readCloser{strings.NewReader("{}")}
	})
	if got.Bearer != "token-of-shop" || string(got.Body) != "{}" || !got.Relayed || got.Call.Name != "george" {
		t.Errorf("%+v", got)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	token := appapi.LinkToken{AccessToken: "canary"}
	text, err := json.Marshal(token)
	all := fmt.Sprintf("%v %+v %#v %s %s", token, token, token, token.AccessToken, text)
	if err != nil || strings.Contains(all, "canary") {
		t.Errorf("%v %s", err, all)
	}
}

// Whatever the path and the body are: nothing but the one valid spelling of a name reaches a user.
func FuzzRequests(f *testing.F) {
	for _, path := range []string{georgesPath, "/v1/namespaces/shop/smileusers/../token", "/v1/namespaces/a%2fb/smileusers/x/token", "//", "/openapi.json"} {
		f.Add(path, "application/json", []byte("{}"))
	}
	f.Add(georgesPath, "text/plain", []byte("x"))
	f.Add(georgesPath, "application/json", []byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, path, media string, body []byte) {
		s := newServer()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://host", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		if r.URL, err = r.URL.Parse(path); err != nil {
			t.Skip()
		}
		r.Header = http.Header{"Authorization": {"Bearer token-of-shop"}, "Content-Type": {media}}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var empty map[string]any
		valid := r.URL.EscapedPath() == georgesPath && r.URL.RawQuery == "" &&
			(len(body) == 0 || media == "application/json" && json.Unmarshal(body, &empty) == nil && empty != nil && len(empty) == 0)
		if valid && len(body) <= appapi.MaxBody && w.Code != http.StatusCreated {
			t.Errorf("%q: %d %s", path, w.Code, w.Body)
		}
		if w.Code == http.StatusCreated && r.URL.EscapedPath() != georgesPath {
			t.Errorf("%q reached george", path)
		}
		if w.Code != http.StatusCreated && w.Code != http.StatusOK && !slices.Contains(appapi.AllReasons(), reasonOf(w)) {
			t.Errorf("%q: %d %s", path, w.Code, w.Body)
		}
		if len(s.failed) > 0 {
			t.Errorf("%q: %v", path, s.failed)
		}
	})
}
