// Package chromium drives Chromium for tests and for the demo: pages, the Wink widget as a person uses it, and screenshots.
package chromium

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to become as expected.
const patience = 30 * time.Second

// Browser is one Chromium.
type Browser struct {
	ctx  context.Context
	stop []func()
	home string
}

// Start starts a browser that ends with ctx, or by Close. The environment variable CHROMIUM names another program than the
// usual ones. hosts are rules of the flag --host-resolver-rules; if there are some, certificates are not verified.
func Start(ctx context.Context, hosts string) (*Browser, error) {
	home, err := os.MkdirTemp("", "smile-chromium-")
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(home),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("lang", "en-US"),
	)
	if hosts != "" {
		options = append(options, chromedp.Flag("host-resolver-rules", hosts), chromedp.IgnoreCertErrors)
	}
	if program := os.Getenv("CHROMIUM"); program != "" {
		options = append(options, chromedp.ExecPath(program))
	}
	b := &Browser{home: home}
	allocator, end := chromedp.NewExecAllocator(ctx, options...)
	b.stop = append(b.stop, end)
	var leave context.CancelFunc
	b.ctx, leave = chromedp.NewContext(allocator)
	b.stop = append(b.stop, leave)
	if err := chromedp.Do(b.ctx); err != nil {
		b.Close()
		return nil, fmt.Errorf("starting Chromium (Debian's package chromium; CHROMIUM names another program): %w", err)
	}
	return b, nil
}

// Context is that of the browser, for tabs that are opened by chromedp itself.
func (b *Browser) Context() context.Context { return b.ctx }

// Close ends the browser, and removes its profile.
func (b *Browser) Close() {
	for i := len(b.stop) - 1; i >= 0; i-- {
		b.stop[i]()
	}
	_ = os.RemoveAll(b.home)
}

// Screen is a size of window, in pixels.
type Screen struct{ Width, Height int64 }

// Page is a tab of the browser.
type Page struct{ ctx context.Context }

// NewPage opens a tab of its own profile, as another browser has: nothing that another page has stored is there. It asks for
// pages in a language. Close it by the returned function.
func (b *Browser) NewPage(screen Screen, language string) (*Page, func(), error) {
	ctx, closed := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	p := &Page{ctx}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(screen.Width, screen.Height)); err != nil {
		closed()
		return nil, nil, err
	}
	agent, err := Evaluate[string](p, "navigator.userAgent")
	if err == nil {
		wanted := emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: language}
		err = call(ctx, emulation.SetUserAgentOverride, wanted)
	}
	if err == nil { // animations would blur the screenshots
		err = call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}},
		})
	}
	if err != nil {
		closed()
		return nil, nil, err
	}
	return p, closed, nil
}

func call[P any](ctx context.Context, command cdp.Command[P, cdp.Empty], params P) error {
	_, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, t, command, params)
	})
	return err
}

// Do runs actions of chromedp.
func (p *Page) Do(actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

// Evaluate evaluates an expression, and waits for a promise.
func Evaluate[T any](p *Page, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		err = fmt.Errorf("evaluating %.200s: %w", expression, err)
	}
	return value, err
}

// Until waits for an expression to become true, also beyond a navigation.
func (p *Page) Until(expression string) error {
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := Evaluate[bool](p, "Boolean("+expression+")")
		if err == nil && done {
			return nil
		}
		if time.Now().After(deadline) {
			shown, _ := Evaluate[string](p, Shown)
			return errors.Join(fmt.Errorf("waited %s for %s; the page shows %q", patience, expression, shown), err)
		}
		select {
		case <-tick.C:
		case <-p.ctx.Done():
			return p.ctx.Err()
		}
	}
}

// Context is that of the page, for chromedp.
func (p *Page) Context() context.Context { return p.ctx }

// Picture stores a screenshot.
func (p *Page) Picture(path string) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err
	}
	return os.WriteFile(path, png, 0o600)
}

// History are the addresses in the page's history.
func History(p *Page) ([]string, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	held, err := chromedp.Run(ctx, chromedp.NavigationEntries())
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, entry := range held.Entries {
		addresses = append(addresses, entry.URL)
	}
	return addresses, nil
}
