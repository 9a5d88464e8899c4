//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/broker/wink"
	"github.com/smile-operator/smile-operator/internal/chromium"
)

// aVendorsScript calls every callback once, in the order of their names, and closes.
const aVendorsScript = `
window.SmileLinkModal = class {
  constructor(options) { this.options = options; }
  open() {
    const account = {accountId: "a-1", userId: "u-1", providerId: "sss_ph"};
    const values = {
      onAccountCreated: account, onAccountConnected: account, onAccountRemoved: account,
      onAccountError: {...account, errorCode: "INVALID_MFA"}, onUploadsCreated: {uploads: [], userId: "u-1"},
      onUploadsRemoved: {uploads: [], userId: "u-1"}, onUIEvent: {eventName: "MfaPageOpened"},
      onAccountConnected2: account, onTokenExpired: undefined, onClose: {reason: "exit"},
    };
    for (const [name, value] of Object.entries(values)) this.options[name.replace("2", "")](value);
  }
};`

// nine are the callbacks of the widget.
var nine = []string{
	"onAccountConnected", "onAccountCreated", "onAccountError", "onAccountRemoved", "onClose", "onTokenExpired", "onUIEvent",
	"onUploadsCreated", "onUploadsRemoved",
}

// pages serves a hosted page with the script of a vendor.
func pages(t *testing.T, spec v1alpha1.WidgetPage, refuse wink.Reason) string {
	t.Helper()
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write([]byte(aVendorsScript))
	}))
	t.Cleanup(vendor.Close)
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	widget := &v1alpha1.SmileWinkWidget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "wink"}, Spec: v1alpha1.SmileWinkWidgetSpec{Page: &spec},
		Status: v1alpha1.SmileWinkWidgetStatus{ScriptURL: vendor.URL + "/v2/smile.v2.js", APIHost: vendor.URL + "/v1"},
	}
	handler, err := wink.NewHandler(wink.Config{
		Widgets: fake.NewClientBuilder().WithScheme(scheme).WithObjects(widget).Build(), BaseURL: "http://127.0.0.1", Metrics: wink.NewMetrics(),
		Exchange: func(context.Context, wink.Request) wink.Answer {
			if refuse != "" {
				return wink.Refused(refuse)
			}
			return wink.Succeed(wink.Opened{AccessToken: "token", APIHost: vendor.URL + "/v1"})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	served := httptest.NewServer(handler)
	t.Cleanup(served.Close)
	return served.URL + "/wink/shop/wink#code"
}

func aTab(t *testing.T) *visitor {
	t.Helper()
	browser, err := chromium.Start(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(browser.Close)
	return (&hosted{browser: browser}).visitor(t, screens[1], "en")
}

// site is a page that frames a URL, and remembers the messages that it gets.
func site(t *testing.T) *httptest.Server {
	t.Helper()
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!DOCTYPE html><title>A bank</title><script>
			const heard = [];
			addEventListener("message", ({data}) => { if (data?.source === "smile-wink") heard.push(data); });
		</script><iframe src=%q></iframe>`, r.URL.Query().Get("frame")+"#code")
	}))
	t.Cleanup(served.Close)
	return served
}

// The nine callbacks, and onRefused of the page, get to the page that frames this one, if its origin is allowed.
func TestWinkEventsReachAllowedOriginsOnly(t *testing.T) {
	t.Parallel()
	bank, stranger := site(t), site(t)
	spec := v1alpha1.WidgetPage{AllowedOrigins: []v1alpha1.Origin{v1alpha1.Origin(bank.URL), "https://other.example"}}
	v := aTab(t)
	open := func(at *httptest.Server, link string) {
		link, _, _ = strings.Cut(link, "#")
		v.must(v.Do(chromedp.Navigate(at.URL + "/?frame=" + link)))
	}
	open(bank, pages(t, spec, ""))
	v.must(v.Until(`heard.some((m) => m.name === "onClose")`))
	if diff := cmp.Diff(nine, evaluated[[]string](v, `[...new Set(heard.map((m) => m.name))].sort()`)); diff != "" {
		t.Error(diff)
	}
	if got := evaluated[string](v, `JSON.stringify(heard.find((m) => m.name === "onAccountError").detail)`); got != `{"accountId":"a-1","userId":"u-1","providerId":"sss_ph","errorCode":"INVALID_MFA"}` {
		t.Error(got)
	}
	open(bank, pages(t, spec, wink.ReasonUsed))
	v.must(v.Until(`JSON.stringify(heard) === '[{"source":"smile-wink","name":"onRefused","detail":{"reason":"used"}}]'`))
	open(stranger, pages(t, spec, ""))
	v.must(v.Until(`document.readyState === "complete"`)) // the frame included, which the policy keeps empty
	if got := evaluated[int](v, `heard.length`); got != 0 {
		t.Errorf("a page of another origin heard %d events", got)
	}
}

// An app gets the same events by the bridge that its system has.
func TestWinkEventsReachApps(t *testing.T) {
	t.Parallel()
	v := aTab(t)
	bridges := cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: `
		window.heard = {ios: [], android: [], react: []};
		window.webkit = {messageHandlers: {smileWink: {postMessage: (m) => heard.ios.push(m)}}};
		window.smileWink = {postMessage: (text) => heard.android.push(JSON.parse(text))};
		window.ReactNativeWebView = {postMessage: (text) => heard.react.push(JSON.parse(text))};`}
	if _, err := chromedp.Run(v.Context(), func(ctx context.Context, t *chromedp.Target) (cdpage.AddScriptToEvaluateOnNewDocumentResult, error) {
		return cdp.Call(ctx, t, cdpage.AddScriptToEvaluateOnNewDocument, bridges)
	}); err != nil {
		t.Fatal(err)
	}
	v.must(v.Do(chromedp.Navigate(pages(t, v1alpha1.WidgetPage{}, ""))), v.Until(`heard.react.some((m) => m.name === "onClose")`))
	for _, bridge := range []string{"ios", "android", "react"} {
		if diff := cmp.Diff(nine, evaluated[[]string](v, `[...new Set(heard.`+bridge+`.map((m) => m.name))].sort()`)); diff != "" {
			t.Errorf("%s:\n%s", bridge, diff)
		}
	}
	v.must(v.Says("Your account is connected.")) // it was removed, and connected again
}

// At the end the browser goes to returnURL, with a status and without an id.
func TestWinkReturns(t *testing.T) {
	t.Parallel()
	v := aTab(t)
	// Only https is permitted, so nothing answers: what counts is where the browser goes.
	link := pages(t, v1alpha1.WidgetPage{ReturnURL: "https://app.invalid/linked?from=wink"}, "")
	v.must(v.Do(chromedp.Navigate(link)))
	v.must(v.Until(`location.href.startsWith("chrome-error:") || location.host === "app.invalid" || document.querySelector("a.button")`))
	var entries []string
	within(t, time.Minute, "the browser goes to returnURL", func() (bool, string) {
		var err error
		if entries, err = chromium.History(v.Page); err != nil {
			return false, err.Error()
		}
		text, _ := json.Marshal(entries)
		return strings.Contains(string(text), "app.invalid"), string(text)
	})
	if last := entries[len(entries)-1]; last != "https://app.invalid/linked?from=wink&status=connected" {
		t.Errorf("the browser went to %s", last)
	}
}
