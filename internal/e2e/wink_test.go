//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	corev1 "k8s.io/api/core/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/chromium"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// hosted is an operator that serves the hosted page, and a browser.
type hosted struct {
	*server
	e       *environment
	backend *backend
	browser *chromium.Browser
	// page is the address of the page, and name the one in links, which leads to all replicas.
	page, name string
}

// hosted serves the page of the widget wink.
func (e *environment) hosted(hosts string, flags ...string) *hosted {
	e.t.Helper()
	h := &hosted{e: e, backend: e.backend(), page: freeAddress(e.t)}
	h.name = h.page
	hooks := freeAddress(e.t)
	h.server = h.backend.server(append([]string{
		"--receiver-bind-address=" + hooks, "--receiver-base-url=http://" + hooks,
		"--wink-bind-address=" + h.page, "--wink-base-url=http://" + h.page,
	}, flags...)...)
	var err error
	if h.browser, err = chromium.Start(e.t.Context(), hosts); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(h.browser.Close)
	widget := &v1alpha1.SmileWinkWidget{ObjectMeta: e.named("wink")}
	widget.Spec.ConnectionRef.Name = "smile"
	widget.Spec.Options = &v1alpha1.WidgetOptions{CompanyName: "Niceloan"}
	widget.Spec.Page = &v1alpha1.WidgetPage{Colors: &v1alpha1.PageColors{Primary: "#0a5c36", Background: "#f3f7f4"}}
	hook := e.subscription("events")
	e.create(widget, hook)
	e.becomes(widget, "True/Succeeded", time.Minute)
	e.becomes(hook, "True/Succeeded", time.Minute)
	return h
}

// person declares a person and the data that is wanted of them.
func (h *hosted) person(name string) {
	h.e.t.Helper()
	user := h.e.user(name)
	h.e.create(user, h.e.sync(name))
	h.e.becomes(user, "True/Succeeded", time.Minute)
}

// link has a backend ask for a link: a process of its own, which knows a token of its ServiceAccount, and the API's authority.
func (h *hosted) link(name string) string {
	h.e.t.Helper()
	bearer := filepath.Join(h.e.t.TempDir(), "header")
	if err := os.WriteFile(bearer, []byte("Authorization: Bearer "+h.backend.token), 0o600); err != nil {
		h.e.t.Fatal(err)
	}
	_, authority, _ := strings.Cut(h.backend.flags[0], "=")
	out, err := exec.CommandContext(h.e.t.Context(), "curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "12",
		"--cacert", authority, "--connect-to", "api:443:"+h.address, "--header", "@"+bearer, "--json", `{"widget":"wink"}`,
		"https://api/v1/namespaces/"+h.e.namespace+"/smileusers/"+name+"/link").CombinedOutput()
	var body struct{ URL string }
	if err != nil || json.Unmarshal(out, &body) != nil || !strings.HasPrefix(body.URL, "http://"+h.name+"/wink/"+h.e.namespace+"/wink#") {
		h.e.t.Fatalf("%v: %s", err, out)
	}
	return body.URL
}

// visitor is a person at a page.
type visitor struct {
	*chromium.Page
	t        *testing.T
	language string
}

func (h *hosted) visitor(t *testing.T, screen chromium.Screen, language string) *visitor {
	t.Helper()
	page, closed, err := h.browser.NewPage(screen, language)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closed)
	return &visitor{page, t, language}
}

func (v *visitor) must(errs ...error) {
	v.t.Helper()
	for _, err := range errs {
		if err != nil {
			v.shoot("failure")
			v.t.Fatal(err)
		}
	}
}

// shoot keeps a screenshot in the directory SCREENSHOTS, if that is set.
func (v *visitor) shoot(name string) {
	v.t.Helper()
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		path := filepath.Join(dir, strings.ReplaceAll(v.t.Name()+"-"+name, "/", "-")+".png")
		if err := v.Picture(path); err != nil {
			v.t.Error(err)
		}
	}
}

func evaluated[T any](v *visitor, expression string) T {
	v.t.Helper()
	value, err := chromium.Evaluate[T](v.Page, expression)
	v.must(err)
	return value
}

// texts are the page's own, by language and key.
func texts(t *testing.T, root string) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "internal", "broker", "wink", "assets", "texts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string]string
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// checked asserts that what is shown fits the screen, that axe finds nothing, and that each word of the page is translated.
func (v *visitor) checked(root string) {
	v.t.Helper()
	if got := evaluated[string](v, `(() => {
		const wide = [document.documentElement, ...document.querySelectorAll("body *")].filter((e) => e.scrollWidth > innerWidth);
		const inside = document.querySelector("[data-smile-link]")?.shadowRoot?.querySelector(".scroll");
		if (inside && inside.scrollWidth > inside.clientWidth) wide.push(inside);
		return wide.map((e) => e.outerHTML.slice(0, 100)).join("\n");
	})()`); got != "" {
		v.t.Errorf("wider than the screen:\n%s", got)
	}
	own, shown := texts(v.t, root)[v.language], evaluated[[]string](v, `(() => {
		const found = [document.title], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		while (walker.nextNode()) {
			const parent = walker.currentNode.parentElement;
			if (!parent.closest("noscript, option, #company, script")) found.push(walker.currentNode.textContent.trim());
		}
		return found.filter(Boolean);
	})()`)
	for _, text := range shown {
		if !slices.Contains(slices.Collect(valuesOf(own)), text) {
			v.t.Errorf("%q is not in %s", text, v.language)
		}
	}
	if got := evaluated[string](v, `document.documentElement.lang`); got != v.language || len(shown) < 3 {
		v.t.Errorf("the page is in %q, and says %q", got, shown)
	}
	v.axe(root)
}

func valuesOf(texts map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, text := range texts {
			if !yield(text) {
				return
			}
		}
	}
}

// axe runs axe-core.
func (v *visitor) axe(root string) {
	v.t.Helper()
	script, err := os.ReadFile(filepath.Join(root, "bin", "axe", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		v.t.Fatalf("%v: make axe installs it", err)
	}
	evaluated[bool](v, `typeof axe === "object" || ((() => {`+string(script)+`
	})(), true)`)
	for _, violation := range evaluated[[]string](v, `axe.run().then(({violations}) => violations.map((v) =>
		v.id + ": " + v.nodes.map((n) => n.target.flat().join(" ") + " " + n.failureSummary).join("; ")))`) {
		v.t.Errorf("axe: %s", violation)
	}
}

// leavesNothing asserts that neither the code of a link nor a token remains where others can find it.
func (v *visitor) leavesNothing(code string) {
	v.t.Helper()
	entries, err := chromium.History(v.Page)
	v.must(err)
	places := map[string]string{
		"history": strings.Join(entries, "\n"),
		"page":    evaluated[string](v, `document.documentElement.outerHTML + location.href + JSON.stringify(history.state)`),
		"storage": evaluated[string](v, `document.cookie + JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage})`),
	}
	for place, text := range places {
		for _, private := range []string{code, code[strings.LastIndex(code, ".")+1:], canary} {
			if strings.Contains(text, private) {
				v.t.Errorf("the %s has a code or a token", place)
			}
		}
	}
	if places["storage"] != "{}{}" {
		v.t.Errorf("the page stores %s", places["storage"])
	}
}

// consentPage is the heading of the widget's first page.
const consentPage = "Niceloan asks to see your work and income data"

var (
	screens   = []chromium.Screen{{Width: 320, Height: 640}, {Width: 390, Height: 844}, {Width: 1280, Height: 800}}
	languages = []string{"en", "fil"}
)

// TestWinkJourney is what George does, from a link to the Secret and back, by the keyboard alone, on each screen and in each
// language: he logs in with a second factor, reloads in the middle, and revokes. Another browser does not get in with his link.
func TestWinkJourney(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, sandbox.Options{AllowHTTPWebhooks: true, Canary: canary}, v1alpha1.SmileConnectionSpec{})
	h := e.hosted("")
	for i, screen := range screens {
		for _, language := range languages {
			name := fmt.Sprintf("george-%d-%s", screen.Width, language)
			t.Run(name, func(t *testing.T) { h.journey(e.in(t), name, screen, language, i == 0) })
		}
	}
	for _, private := range []string{canary, "/wink#", "eyJ"} {
		if strings.Contains(h.text(), private) {
			t.Errorf("the operator's log has %q", private)
		}
	}
	if referrer := e.remote.referrer.Load(); referrer != nil {
		t.Errorf("Smile was told where the person came from: %s", *referrer)
	}
}

func (h *hosted) journey(e *environment, name string, screen chromium.Screen, language string, zoomed bool) {
	t := e.t
	in := *h
	in.e = e
	in.person(name)
	link := in.link(name)
	_, code, _ := strings.Cut(link, "#")
	v := h.visitor(t, screen, language)
	v.must(v.Do(chromedp.Navigate(link)), v.At(consentPage))
	v.checked(e.root)
	v.leavesNothing(code)
	v.shoot("1-consent")

	stranger := h.visitor(t, screen, language)
	own := texts(t, e.root)[language]
	stranger.must(stranger.Do(chromedp.Navigate(link)), stranger.Says(own["used"]), stranger.Says(own["askAgain"]))
	stranger.checked(e.root)
	stranger.leavesNothing(code)
	stranger.shoot("2-another-browser")

	v.must(v.PressByKey("Agree and continue"), v.At("Where do you work?"), v.PressByKey("SSS"), v.At("Log in to SSS"))
	v.must(v.Do(chromedp.Reload()), v.At(consentPage))
	v.must(v.PressByKey("Agree and continue"), v.At("Where do you work?"), v.PressByKey("SSS"), v.At("Log in to SSS"))
	v.must(v.TypeByKey("User name, e-mail or mobile number", "George"), v.TypeByKey("Password", "123456"+kb.Enter))
	v.must(v.At("Enter the code"))
	v.shoot("3-code")
	v.must(v.TypeByKey("One-time code", "1234"+kb.Enter), v.At("SSS is connected"))
	e.contributes(name, true)

	v.must(v.PressByKey("Connect another account"), v.At("Where do you work?"), v.PressByKey("SSS"), v.At("Your SSS account"))
	v.must(v.PressByKey("Disconnect"), v.PressByKey("Yes, disconnect"), v.Says("SSS was disconnected."))
	e.contributes(name, false)

	v.must(v.PressByKey("Close"), v.Gone(), v.Says(own["closed"]))
	v.checked(e.root)
	v.leavesNothing(code)
	v.shoot("4-closed")
	v.must(v.PressByKey(own["retry"]), v.At(consentPage))
	if zoomed && language == "fil" {
		v.must(v.PressByKey("Close"), v.Gone(), v.Until(`document.querySelector("#language").focus() ?? true`))
		v.must(v.Do(chromedp.KeyEvent(kb.ArrowUp)), v.Until(`document.documentElement.lang === "en"`))
	}
}

// contributes waits until the Secret of a person holds contributions, or no longer does. The operator learns it by the webhook:
// it reads without a reason only every 15 minutes.
func (e *environment) contributes(name string, wanted bool) {
	e.t.Helper()
	within(e.t, time.Minute, fmt.Sprintf("the Secret of %s holds contributions: %v", name, wanted), func() (bool, string) {
		secret := &corev1.Secret{ObjectMeta: e.named(name + "-data")}
		if !e.get(secret) {
			return false, "it does not exist"
		}
		var items []any
		_ = json.Unmarshal(secret.Data["contributions.json"], &items)
		return (len(items) > 0) == wanted, fmt.Sprintf("it has %d, and the keys %s", len(items), keys(secret))
	})
	user := e.user(name)
	if !e.get(user) || user.Status.HintedAt == nil {
		e.t.Errorf("no event about %s was received", name)
	}
}

func keys(secret *corev1.Secret) (names []string) {
	for name := range secret.Data {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// TestWinkJourneyWithTheVendorsNames is the same with the vendor's host names, which lead to the sandbox: only names differ
// between the sandbox and production.
func TestWinkJourneyWithTheVendorsNames(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, sandbox.Options{AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
	vendor := e.vendor()
	h := e.hosted("MAP *.smileapi.io "+vendor.address, "--sandbox-endpoint=", "--api-ca-file="+vendor.authority)
	h.person("george")
	v := h.visitor(t, screens[1], "en")
	v.must(v.Do(chromedp.Navigate(h.link("george"))), v.At(consentPage))
	loaded := evaluated[[]string](v, `performance.getEntriesByType("resource").map((r) => r.name)`)
	for _, prefix := range []string{"https://web.smileapi.io/v2/smile.v2.js", "https://link-sandbox.smileapi.io/v1/"} {
		if !slices.ContainsFunc(loaded, func(u string) bool { return strings.HasPrefix(u, prefix) }) {
			t.Errorf("nothing was loaded from %s: %s", prefix, loaded)
		}
	}
	for _, u := range loaded {
		if parsed, err := url.Parse(u); err != nil || parsed.Host != h.page && !strings.HasSuffix(parsed.Host, ".smileapi.io") {
			t.Errorf("%s was loaded", u)
		}
	}
	v.must(v.Press("Agree and continue"), v.At("Where do you work?"), v.Press("SSS"), v.At("Log in to SSS"))
	v.must(v.Enter("User name, e-mail or mobile number", "George"), v.Enter("Password", "123456"), v.Press("Log in"))
	v.must(v.At("Enter the code"), v.Enter("One-time code", "1234"), v.Press("Continue"), v.At("SSS is connected"))
	e.contributes("george", true)
	v.must(v.Press("Done"), v.Gone(), v.Says(texts(t, e.root)["en"]["connected"]))
	v.shoot("connected")
	if state := evaluated[string](v, `JSON.stringify(history.state)`); state != "null" {
		t.Errorf("afterwards the tab still has %s", state)
	}
}
