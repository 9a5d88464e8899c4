package broker_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/broker"
	"github.com/smile-operator/smile-operator/internal/broker/wink"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

const baseURL = "https://connect.example.com/of/shop"

// pageScene is a scene with a widget that has a page.
type pageScene struct {
	*scene
	widget *v1alpha1.SmileWinkWidget
	token  string
	links  *broker.Links
}

func newPageScene(t *testing.T) *pageScene {
	t.Helper()
	s := newScene(t)
	widget := &v1alpha1.SmileWinkWidget{
		ObjectMeta: metav1.ObjectMeta{Name: "wink"},
		Spec: v1alpha1.SmileWinkWidgetSpec{
			ConnectionRef: v1alpha1.ConnectionReference{Name: testenv.ConnectionName}, TemplateID: "wtpl-1", SDKVersion: v1alpha1.SDKv1,
			Options: &v1alpha1.WidgetOptions{Providers: []string{"sss_ph"}}, Page: &v1alpha1.WidgetPage{},
		},
	}
	s.Create(widget)
	s.op.Run(widget)
	linker := s.ServiceAccount("linker")
	s.grant(linker, "create", "smileusers/link")
	return &pageScene{scene: s, widget: widget, token: s.Token(linker, audience), links: s.links}
}

// link is what a caller gets.
type link struct {
	status                    int
	URL, Reason, Cause, Field string
	ExpiresAt                 time.Time
}

func (v *pageScene) link(t *testing.T, user, body string) link {
	t.Helper()
	path := v.url + "/v1/namespaces/" + v.Namespace + "/smileusers/" + user + "/link"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+v.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got := link{status: answer.StatusCode}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// code is the code of a new link of george.
func (v *pageScene) code(t *testing.T) string {
	t.Helper()
	got := v.link(t, "george", `{"widget":"wink"}`)
	page, code, _ := strings.Cut(got.URL, "#")
	if got.status != http.StatusCreated || page != baseURL+"/wink/"+v.Namespace+"/wink" || code == "" {
		t.Fatalf("%+v", got)
	}
	return code
}

func tab(letter string) string { return strings.Repeat(letter, 43) }

// open opens a link as a browser does.
func (v *pageScene) open(t *testing.T, code, tab string) (status int, opened wink.Opened, reason wink.Reason) {
	t.Helper()
	answer := v.links.Open(t.Context(), wink.Request{Namespace: v.Namespace, Widget: "wink", Code: code, Tab: tab})
	var body struct {
		wink.Opened
		Reason wink.Reason
	}
	if err := json.Unmarshal(answer.Body, &body); err != nil {
		t.Fatal(err)
	}
	return answer.Status, body.Opened, body.Reason
}

func TestALinkOpensTheWidgetInOneBrowser(t *testing.T) {
	v := newPageScene(t)
	mark := v.Smile.Mark()
	code := v.code(t)
	if calls := v.Smile.Calls(mark); calls != 0 {
		t.Errorf("a link cost %d calls", calls)
	}
	status, opened, reason := v.open(t, code, tab("a"))
	if status != http.StatusOK || opened.AccessToken == "" || opened.APIHost != v.Smile.URL+"/v1" || opened.TemplateID != "wtpl-1" ||
		len(opened.Options["providers"].([]any)) != 1 {
		t.Fatalf("%d %s", status, reason)
	}
	if calls := v.Smile.Calls(mark); calls != 1 {
		t.Errorf("a link that is opened cost %d calls", calls)
	}
	if status, _, reason := v.open(t, code, tab("b")); status != http.StatusGone || reason != wink.ReasonUsed {
		t.Errorf("another browser: %d %s", status, reason)
	}
	status, again, _ := v.open(t, "", tab("a"))
	if status != http.StatusOK || again.AccessToken == opened.AccessToken {
		t.Errorf("a reload: %d, the same token: %v", status, again.AccessToken == opened.AccessToken)
	}
	v.Clock.Step(15 * time.Minute)
	if status, _, reason := v.open(t, "", tab("a")); status != http.StatusGone || reason != wink.ReasonExpired {
		t.Errorf("a reload after 15 minutes: %d %s", status, reason)
	}
	var actions []auditlog.Action
	for _, r := range v.records(t) {
		if r.Actor == auditlog.ActorWinkPage && (r.UID != string(v.george.UID) || r.Name != "george") {
			t.Errorf("%+v", r)
		}
		actions = append(actions, r.Action)
	}
	if len(actions) != 3 || actions[0] != auditlog.ActionLinked || actions[1] != auditlog.ActionMinted {
		t.Errorf("records: %v", actions)
	}
	for _, private := range []string{code, opened.AccessToken, tab("a"), testenv.Canary} {
		if strings.Contains(v.audit.String(), private) {
			t.Error("the audit log has a code or a token")
		}
	}
}

func TestWhyALinkIsNotOpened(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*pageScene)
		status int
		reason wink.Reason
	}{
		"it has expired": {func(v *pageScene) { v.Clock.Step(10*time.Minute + time.Second) }, 410, wink.ReasonExpired},
		"another process leads": {func(v *pageScene) {
			v.links.Codes, v.links.Sessions = wink.NewCodes(v.op.Identity(), v.Clock.Now), wink.NewSessions(v.Clock.Now)
		}, 410, wink.ReasonSuperseded},
		"the user is suspended": {func(v *pageScene) { v.Change(v.george, func() { v.george.Spec.Suspend = true }) }, 409, wink.ReasonNotReady},
		"the user was deleted":  {func(v *pageScene) { v.Delete(v.george) }, 409, wink.ReasonNotReady},
		"another user has the name": {func(v *pageScene) {
			v.Delete(v.george)
			again := testenv.User("george")
			v.Create(again)
			v.op.Run(again)
		}, 409, wink.ReasonNotReady},
		"the widget is suspended": {func(v *pageScene) { v.Change(v.widget, func() { v.widget.Spec.Suspend = true }) }, 409, wink.ReasonNotReady},
		"the widget was deleted":  {func(v *pageScene) { v.Delete(v.widget) }, 409, wink.ReasonNotReady},
		"Smile is down": {func(v *pageScene) {
			v.Smile.Break(sandbox.Fault{Operation: "create-token", Nth: 1, Count: 100, Phase: "before", Action: "status:503"})
		}, 503, wink.ReasonLater},
		"the leadership is lost": {func(v *pageScene) { v.op.Fence = func() error { return errors.New("lost") } }, 503, wink.ReasonLater},
	} {
		t.Run(name, func(t *testing.T) {
			v := newPageScene(t)
			code := v.code(t)
			c.change(v)
			if status, opened, reason := v.open(t, code, tab("a")); status != c.status || reason != c.reason || opened.AccessToken != "" {
				t.Errorf("%d %s", status, reason)
			}
		})
	}
	v := newPageScene(t)
	if status, _, reason := v.open(t, "x.y.z", tab("a")); status != 400 || reason != wink.ReasonInvalid {
		t.Errorf("garbage: %d %s", status, reason)
	}
	if status, _, reason := v.open(t, "", tab("z")); status != 410 || reason != wink.ReasonSuperseded {
		t.Errorf("an unknown tab: %d %s", status, reason)
	}
}

func TestWhyThereIsNoLink(t *testing.T) {
	v := newPageScene(t)
	for name, c := range map[string]struct {
		change     func()
		user, body string
		want       link
	}{
		"no body":                {nil, "george", ``, link{400, "", "InvalidBody", "", "", time.Time{}}},
		"no widget":              {nil, "george", `{}`, link{400, "", "InvalidBody", "", "widget", time.Time{}}},
		"a widget that is none":  {nil, "george", `{"widget":"A/B"}`, link{400, "", "InvalidBody", "", "widget", time.Time{}}},
		"another field":          {nil, "george", `{"widget":"wink","user":"x"}`, link{400, "", "InvalidBody", "", "", time.Time{}}},
		"more than one":          {nil, "george", `{"widget":"wink"}{}`, link{400, "", "InvalidBody", "", "", time.Time{}}},
		"too short":              {nil, "george", `{"widget":"wink","expiresIn":"59s"}`, link{400, "", "InvalidBody", "", "expiresIn", time.Time{}}},
		"too long":               {nil, "george", `{"widget":"wink","expiresIn":"24h1s"}`, link{400, "", "InvalidBody", "", "expiresIn", time.Time{}}},
		"no duration":            {nil, "george", `{"widget":"wink","expiresIn":"soon"}`, link{400, "", "InvalidBody", "", "expiresIn", time.Time{}}},
		"nobody":                 {nil, "nobody", `{"widget":"wink"}`, link{404, "", "UserNotFound", "", "", time.Time{}}},
		"a user that is not":     {nil, "lame", `{"widget":"wink"}`, link{409, "", "UserNotReady", "ConnectionNotFound", "", time.Time{}}},
		"a suspended user":       {nil, "paused", `{"widget":"wink"}`, link{409, "", "Suspended", "", "", time.Time{}}},
		"no such widget":         {nil, "george", `{"widget":"other"}`, link{404, "", "WidgetNotFound", "", "", time.Time{}}},
		"a widget without page":  {func() { v.other("bare", nil) }, "george", `{"widget":"bare"}`, link{409, "", "PageNotServed", "", "", time.Time{}}},
		"of another connection":  {func() { v.other("far", func(w *v1alpha1.SmileWinkWidget) { w.Spec.ConnectionRef.Name = "x" }) }, "george", `{"widget":"far"}`, link{409, "", "WidgetMismatch", "", "", time.Time{}}},
		"not reconciled":         {func() { v.fresh("fresh") }, "george", `{"widget":"fresh"}`, link{409, "", "WidgetNotReady", "Progressing", "", time.Time{}}},
		"a suspended widget":     {func() { v.other("off", func(w *v1alpha1.SmileWinkWidget) { w.Spec.Suspend = true }) }, "george", `{"widget":"off"}`, link{409, "", "WidgetNotReady", "Suspended", "", time.Time{}}},
		"a widget that conflict": {func() { v.blocked("taken") }, "george", `{"widget":"taken"}`, link{409, "", "WidgetNotReady", "OutputConflict", "", time.Time{}}},
	} {
		if c.change != nil {
			c.change()
		}
		if got := v.link(t, c.user, c.body); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	got := v.link(t, "george", `{"widget":"wink","expiresIn":"24h"}`)
	if want := v.Clock.Now().Add(24 * time.Hour).UTC().Truncate(time.Second); got.status != 201 || !got.ExpiresAt.Equal(want) {
		t.Errorf("%+v, want %s", got, want)
	}
	v.links.BaseURL = ""
	if got := v.link(t, "george", `{"widget":"wink"}`); got.Reason != "PageNotServed" {
		t.Errorf("without a page: %+v", got)
	}
	v.links.BaseURL = baseURL
	v.op.Fence = func() error { return errors.New("lost") }
	if got := v.link(t, "george", `{"widget":"wink"}`); got.Reason != "LeaderUnavailable" {
		t.Errorf("without a leader: %+v", got)
	}
	v.token = v.Token(v.backend, audience)
	if got := v.link(t, "george", `{"widget":"wink"}`); got.Reason != "Forbidden" {
		t.Errorf("a caller that may only mint tokens gets a link: %+v", got)
	}
}

// fresh makes a widget that nobody reconciles.
func (v *pageScene) fresh(name string, changes ...func(*v1alpha1.SmileWinkWidget)) *v1alpha1.SmileWinkWidget {
	v.Helper()
	widget := &v1alpha1.SmileWinkWidget{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: *v.widget.Spec.DeepCopy()}
	for _, change := range changes {
		change(widget)
	}
	v.Create(widget)
	return widget
}

func (v *pageScene) other(name string, change func(*v1alpha1.SmileWinkWidget)) {
	v.Helper()
	if change == nil {
		change = func(w *v1alpha1.SmileWinkWidget) { w.Spec.Page = nil }
	}
	v.op.Run(v.fresh(name, change))
}

// blocked makes a widget whose ConfigMap belongs to another one.
func (v *pageScene) blocked(name string) {
	v.Helper()
	output := &v1alpha1.WidgetOutput{ConfigMap: v1alpha1.WidgetConfigMap{Name: "one"}}
	v.other("first", func(w *v1alpha1.SmileWinkWidget) { w.Spec.Output = output })
	v.other(name, func(w *v1alpha1.SmileWinkWidget) { w.Spec.Output = output })
}

// A token for an application's own site has the widget's part if the query names one.
func TestATokenWithAWidget(t *testing.T) {
	v := newPageScene(t)
	token := v.Token(v.backend, audience)
	got := v.mint(t, v.url, token, v.Namespace, "george", "?widget=wink")
	if got.status != http.StatusCreated || got.TemplateID != "wtpl-1" || got.ScriptURL != v.Smile.URL+"/v1/smile.v1.js" || got.Options == nil {
		t.Errorf("%+v", got)
	}
	for query, want := range map[string]string{
		"?widget=other": "WidgetNotFound", "?widget=": "InvalidQuery", "?widget=a&widget=b": "InvalidQuery", "?Widget=wink": "InvalidQuery",
		"?widget=wink&x=1": "InvalidQuery", "?widget=%zz": "InvalidQuery",
	} {
		if got := v.mint(t, v.url, token, v.Namespace, "george", query); got.Reason != want {
			t.Errorf("%s: %d %s", query, got.status, got.Reason)
		}
	}
	if got := v.mint(t, v.url, v.token, v.Namespace, "george"); got.Reason != "Forbidden" {
		t.Errorf("a caller that may only make links gets a token: %+v", got)
	}
}

// Two namespaces that share a key pair open nothing of each other by links, whatever they write into their objects.
func TestTenantsDoNotMixByLinks(t *testing.T) {
	v := newPageScene(t)
	own, other := v.Namespace, v.NewNamespace()
	code := v.code(t)
	conn, keys := testenv.Connection(testenv.ConnectionName), testenv.Keys(testenv.KeysName, testenv.One)
	thief, widget := testenv.User("george"), &v1alpha1.SmileWinkWidget{ObjectMeta: metav1.ObjectMeta{Name: "wink"}, Spec: v.widget.Spec}
	conn.Namespace, keys.Namespace, thief.Namespace, widget.Namespace = other, other, other, other
	v.Create(conn, keys, thief, widget)
	v.op.Run(conn, thief, widget)
	v.Get(thief)
	v.ChangeStatus(thief, func() { thief.Status.UserID = v.george.Status.UserID })
	account := v.ServiceAccount("thief")
	v.grantIn(other, account, "create", "smileusers/link")
	v.token = v.Token(account, audience)
	mark := v.Smile.Mark()

	if got := v.link(t, "george", `{"widget":"wink"}`); got.status != http.StatusForbidden {
		t.Errorf("a link of the other namespace: %+v", got)
	}
	v.Namespace = other
	_, stolen, _ := strings.Cut(v.link(t, "george", `{"widget":"wink"}`).URL, "#")
	if status, _, reason := v.open(t, stolen, tab("a")); stolen == "" || status != http.StatusConflict || reason != wink.ReasonNotReady {
		t.Errorf("a link for the other's user: %d %s", status, reason)
	}
	if status, _, reason := v.open(t, code, tab("b")); status != http.StatusBadRequest || reason != wink.ReasonInvalid {
		t.Errorf("the code of the user's page, at the thief's page: %d %s", status, reason)
	}
	v.Namespace = own
	if status, _, reason := v.open(t, "", tab("a")); status != http.StatusGone || reason != wink.ReasonSuperseded {
		t.Errorf("the thief's tab, at the user's page: %d %s", status, reason)
	}
	if minted := v.Smile.Calls(mark, "create-token"); minted != 0 {
		t.Errorf("%d tokens were minted for a user of another namespace", minted)
	}
	if status, _, reason := v.open(t, code, tab("c")); status != http.StatusOK {
		t.Errorf("the link of the user: %d %s", status, reason)
	}
}

// Requests that other replicas forward are checked like requests of browsers.
func TestPassedOnExchanges(t *testing.T) {
	v := newPageScene(t)
	code := v.code(t)
	exchanges := &broker.Exchanges{Links: v.links}
	send := func(method, path, body string) int {
		w := httptest.NewRecorder()
		exchanges.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
		return w.Code
	}
	valid := `{"namespace":"` + v.Namespace + `","widget":"wink","code":"` + code + `","tab":"` + tab("a") + `"}`
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{http.MethodGet, "/internal/wink/open", valid, 400},
		{http.MethodPost, "/internal/other", valid, 400},
		{http.MethodPost, "/internal/wink/open", strings.Replace(valid, tab("a"), "a", 1), 400},
		{http.MethodPost, "/internal/wink/open", "x", 400},
		{http.MethodPost, "/internal/wink/open", valid, 200},
	} {
		if got := send(c.method, c.path, c.body); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, got, c.want)
		}
	}
	v.op.Fence = func() error { return errors.New("lost") }
	if got := send(http.MethodPost, "/internal/wink/open", valid); got != 503 {
		t.Errorf("without leading: %d", got)
	}
}

// A replica that does not lead refuses by itself what no leader can open.
func TestExchangesWithoutTheLeader(t *testing.T) {
	v := newPageScene(t)
	code := v.code(t)
	v.op.Fence = func() error { return errors.New("lost") }
	forwarder := &broker.Forwarder{Board: broker.NewBoard(broker.Leader{}, v.Clock), Fence: v.op.Fence}
	exchanges := &broker.Exchanges{Links: v.links, Forwarder: forwarder}
	status := func(code string) int {
		return exchanges.Exchange(t.Context(), wink.Request{Namespace: v.Namespace, Widget: "wink", Code: code, Tab: tab("a")}).Status
	}
	another := wink.NewCodes(v.op.Identity(), v.Clock.Now)
	former, _, err := another.Issue(v.Namespace, "wink", v.george.UID, time.Hour)
	elsewhere, _, otherErr := another.Issue(v.Namespace, "other", v.george.UID, time.Hour)
	if err := errors.Join(err, otherErr); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		code string
		want int
	}{
		"forged": {code[:len(code)-4] + "AAAA", 400}, "another page's": {elsewhere, 400},
		"of some leader": {former, 503}, "its own": {code, 503}, "a tab alone": {"", 503},
	} {
		if got := status(c.code); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	v.Clock.Step(11 * time.Minute)
	if got := status(code); got != 410 {
		t.Errorf("expired: %d", got)
	}
}
