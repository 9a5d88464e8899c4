//go:build e2e

// Package browsertest tests the widget in Chromium.
package browsertest

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/smile-operator/smile-operator/internal/chromium"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const day = 24 * time.Hour

// patience is how long a test may use a page. On a busy machine a page takes long.
const patience = 3 * time.Minute

// browser is one Chromium for all tests. Each test opens its own page.
var browser context.Context

// vendor is a sandbox that the browser reaches under the vendor's host names.
var vendor *sandbox.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	box, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer box.Close()
	vendor = box
	secure := httptest.NewTLSServer(box)
	defer secure.Close()
	chrome, err := chromium.Start(context.Background(), "MAP *.smileapi.io "+secure.Listener.Addr().String())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer chrome.Close()
	browser = chrome.Context()
	return m.Run()
}

// inParallel is how many tests may use the browser at the same time. More would exceed
// the times that pages wait, on two cores.
var inParallel = make(chan struct{}, 3)

// parallel lets a test run beside others. They mostly wait.
func parallel(t *testing.T) {
	t.Helper()
	t.Parallel()
	inParallel <- struct{}{}
	t.Cleanup(func() { <-inParallel })
}

// screen is a size of window.
type screen struct {
	name          string
	width, height int64
	phone         bool
}

var (
	desktop = screen{"desktop", 1280, 800, false}
	phone   = screen{"phone", 390, 844, true}
	screens = []screen{desktop, phone}
)

// tab is a page in the browser under test.
type tab struct {
	t      *testing.T
	ctx    context.Context
	screen screen
	// within turns an expression into one that is evaluated in a frame of the
	// page; nil is the page itself.
	within func(expression string) string

	preferences []*emulation.MediaFeature
	dark        bool
}

func newTab(t *testing.T, s screen) *tab {
	t.Helper()
	// In a window of its own, a page counts as visible while others are used.
	ctx, done := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(done)
	if err := chromedp.Do(ctx); err != nil { // the first call must not have a deadline
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx, screen: s}
	var size []chromedp.EmulateViewportOption
	if s.phone {
		size = append(size, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	p.do(chromedp.EmulateViewport(s.width, s.height, size...))
	p.prefer("prefers-reduced-motion", "reduce") // animations would blur the pictures
	p.focused()
	return p
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// evaluate evaluates an expression, waiting for a promise.
func evaluate[T any](p *tab, expression string) T {
	p.t.Helper()
	if p.within != nil {
		expression = p.within(expression)
	}
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%v in %s", err, expression)
	}
	return value
}

// until waits for an expression to become true.
func (p *tab) until(expression string) {
	p.t.Helper()
	if !evaluate[bool](p, `(async () => {
		for (const end = Date.now() + 30000; !(`+expression+`); await new Promise((resolve) => setTimeout(resolve, 40))) {
			if (Date.now() > end) return false;
		}
		return true;
	})()`) {
		p.picture("failure")
		p.t.Fatalf("%s did not happen in time", expression)
	}
}

// click waits for an element and clicks it.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.clickFound(fmt.Sprintf(`document.querySelector(%q)`, selector))
}

// clickText waits for a button with that text and clicks it.
func (p *tab) clickText(text string) {
	p.t.Helper()
	p.clickFound(fmt.Sprintf(`[...document.querySelectorAll("button")].find((b) => b.textContent === %q)`, text))
}

func (p *tab) clickFound(expression string) {
	p.t.Helper()
	p.until(`Boolean(` + expression + `)`)
	evaluate[bool](p, expression+`.click() ?? true`)
}

// themes are the color schemes that people prefer.
var themes = []string{"light", "dark"}

// theme has the browser prefer a color scheme.
func (p *tab) theme(scheme string) {
	p.t.Helper()
	p.dark = scheme == "dark"
	p.prefer("prefers-color-scheme", scheme)
}

// focused lets the page have the focus, whatever other pages do.
func (p *tab) focused() {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, t, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	}); err != nil {
		p.t.Fatal(err)
	}
}

// prefer sets a preference of the browser, such as dark mode.
func (p *tab) prefer(feature, value string) {
	p.t.Helper()
	p.preferences = append(p.preferences, &emulation.MediaFeature{Name: feature, Value: value})
	wanted := emulation.SetEmulatedMediaParams{Features: p.preferences}
	if _, err := chromedp.Run(p.ctx, func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, t, emulation.SetEmulatedMedia, wanted)
	}); err != nil {
		p.t.Fatal(err)
	}
}

// picture keeps a screenshot in the directory SCREENSHOTS, if that is set.
func (p *tab) picture(name string) {
	p.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if p.dark {
		name += "-dark"
	}
	if err := os.WriteFile(filepath.Join(dir, name+"-"+p.screen.name+".png"), png, 0o600); err != nil {
		p.t.Fatal(err)
	}
}
