package wink_test

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/broker/wink"
)

// site serves the pages of some widgets, and answers each exchange as told.
type site struct {
	http.Handler
	metrics *wink.Metrics
	asked   []wink.Request
	answer  wink.Answer
}

func newSite(t testing.TB, change func(*wink.Config), widgets ...*v1alpha1.SmileWinkWidget) *site {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	kube := fake.NewClientBuilder().WithScheme(scheme)
	for _, widget := range widgets {
		kube = kube.WithObjects(widget)
	}
	s := &site{metrics: wink.NewMetrics(), answer: wink.Succeed(wink.Opened{AccessToken: "t", APIHost: "https://link.example/v1"})}
	config := wink.Config{
		Widgets: kube.Build(), BaseURL: "https://connect.example", Metrics: s.metrics,
		Exchange: func(_ context.Context, r wink.Request) wink.Answer { s.asked = append(s.asked, r); return s.answer },
	}
	if change != nil {
		change(&config)
	}
	var err error
	if s.Handler, err = wink.NewHandler(config); err != nil {
		t.Fatal(err)
	}
	return s
}

func widget(page *v1alpha1.WidgetPage) *v1alpha1.SmileWinkWidget {
	return &v1alpha1.SmileWinkWidget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "wink"},
		Spec:       v1alpha1.SmileWinkWidgetSpec{Page: page, Options: &v1alpha1.WidgetOptions{CompanyName: `Nice "loan" </script>`}},
		Status: v1alpha1.SmileWinkWidgetStatus{
			ScriptURL: "https://web.example/v2/smile.v2.js", APIHost: "https://link.example/v1",
		},
	}
}

func (s *site) do(t *testing.T, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestThePageAndItsPolicy(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, widget(&v1alpha1.WidgetPage{
		AllowedOrigins: []v1alpha1.Origin{"https://app.example"}, ReturnURL: "com.example.app://linked",
		LogoURL: "https://cdn.example/logo.png", Colors: &v1alpha1.PageColors{Primary: "#0a5c36"},
		Messages: []v1alpha1.PageMessages{{Language: "id", Texts: map[string]v1alpha1.PageText{"title": "Hubungkan", "nonsense": "x"}}},
	}))
	got := s.do(t, http.MethodGet, "/wink/shop/wink", "")
	if got.Code != http.StatusOK {
		t.Fatalf("%d", got.Code)
	}
	want := "base-uri 'none'; connect-src 'self' https://link.example; default-src 'none'; form-action 'none'; " +
		"frame-ancestors https://app.example; img-src 'self' https://cdn.example; report-to wink; report-uri ../../wink-csp-report; " +
		"script-src 'self' https://web.example; style-src 'self'"
	if diff := cmp.Diff(want, got.Header().Get("Content-Security-Policy")); diff != "" {
		t.Error(diff)
	}
	for name, value := range map[string]string{
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Set-Cookie": "",
		"Reporting-Endpoints": `wink="https://connect.example/wink-csp-report"`,
	} {
		if got.Header().Get(name) != value {
			t.Errorf("%s: %q", name, got.Header().Get(name))
		}
	}
	body := got.Body.String()
	if regexp.MustCompile(`<script[^>]*>[^<]|<style| style=| on[a-z]+=`).MatchString(body) {
		t.Errorf("the page has an inline script or style:\n%s", body)
	}
	attribute := regexp.MustCompile(`data-front="([^"]*)"`).FindStringSubmatch(body)
	if attribute == nil {
		t.Fatal(body)
	}
	var front struct {
		CompanyName, ReturnURL, LogoURL, Primary string
		Texts                                    map[string]map[string]string
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(attribute[1])), &front); err != nil {
		t.Fatal(err)
	}
	if front.CompanyName != `Nice "loan" </script>` || front.ReturnURL != "com.example.app://linked" || front.Primary != "#0a5c36" ||
		!cmp.Equal(front.Texts["id"], map[string]string{"title": "Hubungkan"}) {
		t.Errorf("%+v", front)
	}
}

// What was stored under an older definition gets neither into a header nor into a place where a browser goes.
func TestWhatIsNotAsDefinedIsLeftOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, widget(&v1alpha1.WidgetPage{
		AllowedOrigins: []v1alpha1.Origin{"*", "https://a.example; script-src *"}, ReturnURL: "javascript://x/%0aalert(1)",
		LogoURL: "https://cdn.example;script-src */a", Colors: &v1alpha1.PageColors{Background: "red;x"},
	}))
	got := s.do(t, http.MethodGet, "/wink/shop/wink", "")
	policy := got.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "*") || strings.Contains(policy, "cdn.example") {
		t.Error(policy)
	}
	for _, bad := range []string{"javascript:", "red;x", "cdn.example"} {
		if strings.Contains(got.Body.String(), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
}

func TestWhereThereIsNoPage(t *testing.T) {
	t.Parallel()
	bare, paused, unready := widget(nil), widget(&v1alpha1.WidgetPage{}), widget(&v1alpha1.WidgetPage{})
	bare.Name, paused.Name, unready.Name = "bare", "paused", "unready"
	paused.Spec.Suspend, unready.Status.ScriptURL = true, ""
	s := newSite(t, nil, bare, paused, unready)
	for _, path := range []string{"/wink/shop/bare", "/wink/shop/paused", "/wink/shop/unready", "/wink/shop/absent", "/wink/SHOP/x", "/wink/a%2fb/x"} {
		got := s.do(t, http.MethodGet, path, "")
		if got.Code != http.StatusNotFound || !strings.Contains(got.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %d %s", path, got.Code, got.Header())
		}
	}
	for _, path := range []string{"/", "/wink", "/wink/shop", "/wink/shop/bare/open", "/metrics", "/v1/namespaces/shop/smileusers/george/token"} {
		if got := s.do(t, http.MethodGet, path, ""); got.Code < 400 || strings.Contains(got.Body.String(), "<html") {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}

func TestReportOnlyAndAdditions(t *testing.T) {
	t.Parallel()
	sources, err := wink.ParseSources([]string{"style-src='unsafe-inline'", "frame-src=https://link.smileapi.io"})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *wink.Config) { c.Sources, c.ReportOnly = sources, true }, widget(&v1alpha1.WidgetPage{}))
	header := s.do(t, http.MethodGet, "/wink/shop/wink", "").Header()
	if got := header.Get("Content-Security-Policy"); got != "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'" {
		t.Error(got)
	}
	reported := header.Get("Content-Security-Policy-Report-Only")
	if !strings.Contains(reported, "style-src 'self' 'unsafe-inline'") || !strings.Contains(reported, "frame-src https://link.smileapi.io") {
		t.Error(reported)
	}
	for _, bad := range []string{"script-src='unsafe-inline'", "script-src=*", "frame-ancestors=https://a.example", "style-src", "img-src=http://a", "x"} {
		if _, err := wink.ParseSources([]string{bad}); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestViolationsAreCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for _, report := range []string{
		`{"csp-report":{"effective-directive":"script-src-elem","disposition":"report","blocked-uri":"https://evil.example"}}`,
		`[{"type":"csp-violation","body":{"effectiveDirective":"script-src-elem","disposition":"report"}},{"type":"other"}]`,
		`{"csp-report":{"effective-directive":"made-up","disposition":"made-up"}}`,
		`garbage`, `[]`, ``,
	} {
		if got := s.do(t, http.MethodPost, "/wink-csp-report", report, "Sec-Fetch-Site", "cross-site"); got.Code != http.StatusNoContent {
			t.Errorf("%s: %d", report, got.Code)
		}
	}
	const want = `
# HELP smile_operator_wink_csp_violations_total Violations of the hosted page's Content-Security-Policy that browsers reported, by directive and disposition.
# TYPE smile_operator_wink_csp_violations_total counter
smile_operator_wink_csp_violations_total{directive="other",disposition="other"} 1
smile_operator_wink_csp_violations_total{directive="script-src-elem",disposition="report"} 2
`
	if err := testutil.CollectAndCompare(s.metrics, strings.NewReader(want), "smile_operator_wink_csp_violations_total"); err != nil {
		t.Error(err)
	}
	if got := s.do(t, http.MethodPost, "/wink-csp-report", strings.Repeat("x", 40<<10)); got.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large report: %d", got.Code)
	}
}

func TestExchangesOverHTTP(t *testing.T) {
	t.Parallel()
	const path = "/wink/shop/wink/open"
	s := newSite(t, nil, widget(&v1alpha1.WidgetPage{}))
	valid := `{"code":"c","tab":"` + tabOf(1) + `"}`
	for name, c := range map[string]struct {
		body   string
		header []string
		status int
	}{
		"as the page does":      {valid, []string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}, 200},
		"without a code":        {`{"tab":"` + tabOf(1) + `"}`, []string{"Content-Type", "application/json"}, 200},
		"from another site":     {valid, []string{"Content-Type", "application/json", "Sec-Fetch-Site", "cross-site"}, 403},
		"from another origin":   {valid, []string{"Content-Type", "application/json", "Origin", "https://evil.example"}, 403},
		"from our own origin":   {valid, []string{"Content-Type", "application/json", "Origin", "https://connect.example"}, 200},
		"as a form":             {valid, []string{"Content-Type", "text/plain"}, 400},
		"without a tab":         {`{"code":"c"}`, []string{"Content-Type", "application/json"}, 400},
		"with a short tab":      {`{"code":"c","tab":"t"}`, []string{"Content-Type", "application/json"}, 400},
		"with a long code":      {`{"code":"` + strings.Repeat("c", 1025) + `","tab":"` + tabOf(1) + `"}`, []string{"Content-Type", "application/json"}, 400},
		"with a very long body": {`{"code":"` + strings.Repeat("c", 9000) + `"}`, []string{"Content-Type", "application/json"}, 400},
		"with garbage":          {`{`, []string{"Content-Type", "application/json"}, 400},
	} {
		asked := len(s.asked)
		got := s.do(t, http.MethodPost, path, c.body, c.header...)
		if got.Code != c.status || (len(s.asked) > asked) != (c.status == 200) || got.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, asked %v", name, got.Code, len(s.asked) > asked)
		}
	}
}

// Every text exists in English and Filipino, differs, and can be set by the spec.
func TestTextsAreComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("assets/texts.json")
	if err != nil {
		t.Fatal(err)
	}
	var own map[string]map[string]string
	if err := json.Unmarshal(text, &own); err != nil {
		t.Fatal(err)
	}
	definition, err := os.ReadFile("../../../config/crd/bases/smile-operator.io_smilewinkwidgets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("assets/wink.js")
	if err != nil {
		t.Fatal(err)
	}
	allowed := regexp.MustCompile(`k in \[([^\]]*)\]`).FindStringSubmatch(strings.Join(strings.Fields(string(definition)), " "))
	if allowed == nil {
		t.Fatal("no rule about keys")
	}
	var keys []string
	for _, quoted := range regexp.MustCompile(`'+([A-Za-z]+)'+`).FindAllStringSubmatch(allowed[1], -1) {
		keys = append(keys, quoted[1])
	}
	for language, texts := range own {
		for _, key := range keys {
			if texts[key] == "" || len(texts[key]) > 300 {
				t.Errorf("%s has no text %s", language, key)
			}
		}
		if len(texts) != len(keys) {
			t.Errorf("%s has %d texts, of %d", language, len(texts), len(keys))
		}
	}
	for key, english := range own["en"] {
		if own["fil"][key] == english {
			t.Errorf("%s is not translated", key)
		}
		if !slices.Contains([]string{"noScript", "used", "expired", "superseded", "notReady", "later"}, key) && !strings.Contains(string(script), `"`+key+`"`) {
			t.Errorf("no page uses the text %s", key)
		}
	}
}
