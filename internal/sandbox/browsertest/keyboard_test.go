//go:build e2e

package browsertest

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const (
	focused = `(` + shadow + `?.activeElement)`
	named   = `(` + focused + `?.getAttribute("aria-label") ?? ` + focused + `?.querySelector?.("strong")?.textContent
		?? ` + focused + `?.labels?.[0]?.textContent ?? ` + focused + `?.textContent ?? "")`
)

// tabTo presses Tab until the focused element has that name.
func (w *widget) tabTo(name string) *widget {
	w.t.Helper()
	var passed []string
	for range 30 {
		w.do(chromedp.KeyEvent(kb.Tab))
		at := evaluate[string](w.tab, named)
		if at == name {
			w.until(settled)
			return w
		}
		passed = append(passed, at)
	}
	w.t.Fatalf("Tab never comes to %q, only to %q", name, passed)
	return w
}

func (w *widget) keys(text string) *widget {
	w.t.Helper()
	w.do(chromedp.KeyEvent(text))
	return w
}

func TestByKeyboardAlone(t *testing.T) {
	parallel(t)
	onEveryScreen(t, byKeyboardAlone)
}

func byKeyboardAlone(t *testing.T, s screen) {
	c := newCompany(t, sandbox.Options{})
	w := c.openWidget(s, nil)
	w.at("This service asks to see your work and income data").keys(kb.Escape).gone()
	w.expect(c.opened("ConsentPageOpened", nil), closed("close"))
	if got := evaluate[string](w.tab, `document.activeElement.id`); got != "start" {
		t.Errorf("afterwards the focus is on %q, not where it was", got)
	}

	w.keys(kb.Enter).at("This service asks to see your work and income data")
	if got := evaluate[string](w.tab, named); got != "This service asks to see your work and income data" {
		t.Errorf("a page begins with the focus on %q", got)
	}
	w.tabTo("Agree and continue").keys(kb.Enter).at("Where do you work?")
	w.tabTo("Search employers and platforms").keys("social").says("1 found")
	w.tabTo("All").keys(kb.ArrowRight).says("Govt Service")
	if got := evaluate[string](w.tab, `String(`+focused+`.value)`); got != "GOVERNMENT" {
		t.Errorf("an arrow key chooses %q", got)
	}
	w.tabTo("SSS").keys(kb.Enter).at("Log in to SSS")
	w.tabTo("User name, e-mail or mobile number").keys("George")
	w.tabTo("Password").keys("wrong" + kb.Enter).says("did not accept this login")
	if got := evaluate[string](w.tab, `[`+focused+`.name, `+focused+`.getAttribute("aria-invalid"),
		`+shadow+`.getElementById(`+focused+`.getAttribute("aria-describedby")).textContent].join()`); got != "password,true,SSS did not accept this login. Check it and try again." {
		t.Errorf("after a refusal the focus is on %s", got)
	}
	w.keys("123456").tabTo("Show password").keys(" ")
	if got := evaluate[string](w.tab, shadow+`.querySelector("[name=password]").type`); got != "text" {
		t.Errorf("the password is shown as %s", got)
	}
	w.tabTo("Log in").keys(kb.Enter).at("Enter the code")
	w.tabTo("One-time code").keys("1234" + kb.Enter).at("SSS is connected")
	w.tabTo("Connect another account").keys(kb.Enter).at("Where do you work?")
	w.tabTo("SSS").keys(kb.Enter).at("Your SSS account") // the person's own accounts come first
	w.tabTo("Disconnect").keys(kb.Enter).at("Disconnect SSS?")
	w.tabTo("Yes, disconnect").keys(kb.Enter).says("SSS was disconnected.").keys(kb.Escape).gone()
	w.expectNames("onClose", "onAccountCreated", "onAccountError", "onAccountConnected", "onAccountRemoved", "onClose")
}

// TestPressingEnterTwice: like a double click, the second Enter does nothing.
func TestPressingEnterTwice(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{})
	w := c.openWidget(desktop, nil).at(consent)
	w.tabTo("Agree and continue").keys(kb.Enter + kb.Enter).at("Where do you work?").stays("Where do you work?")
	w.tabTo("SSS").keys(kb.Enter + kb.Enter).at("Log in to SSS").stays("Log in to SSS")
	w.tabTo(byLogin).keys("George").tabTo("Password").keys("123456" + kb.Enter + kb.Enter).at("Enter the code").stays("Enter the code")
	w.tabTo("One-time code").keys("1234" + kb.Enter + kb.Enter).at("SSS is connected").stays("SSS is connected")
	w.expectNames("onAccountCreated", "onAccountConnected")
}

// TestTroubleByKeyboard: an error page is left, and its action repeated, by keyboard.
func TestTroubleByKeyboard(t *testing.T) {
	parallel(t)
	for _, s := range screens {
		t.Run(s.name, func(t *testing.T) {
			w := newCompany(t, sandbox.Options{}).openWidget(s, straightToSSS).at("Log in to SSS")
			w.tabTo("Test accounts with trouble").keys(kb.Enter).says("every password is wrong")
			w.tabTo("Fill in locked").keys(kb.Enter)
			w.until(focused + `.name === "password"`)
			w.keys(kb.Enter).at("Your account is locked")
			w.tabTo("Try again").keys(kb.Enter).at("Log in to SSS") // with the same input
			w.tabTo("Log in").keys(kb.Enter).at("Your account is locked")
			w.tabTo("Exit").keys(kb.Enter).gone()
			w.expectNames("onAccountCreated", "onAccountError", "onAccountError", "onClose")
		})
	}
}

// TestPageByKeyboard: what is folded on the page is opened by keyboard, and a line is
// copied.
func TestPageByKeyboard(t *testing.T) {
	parallel(t)
	for _, s := range screens {
		t.Run(s.name, func(t *testing.T) {
			c := newCompany(t, sandbox.Options{})
			p := c.openPage(s, "light")
			for _, card := range []string{"start", "people-card", "quirks-card", "mails-card"} {
				evaluate[bool](p, fmt.Sprintf(`document.querySelector("#%s summary").focus() ?? true`, card))
				p.do(chromedp.KeyEvent(kb.Enter))
				p.until(fmt.Sprintf(`document.querySelector("#%s").open`, card))
			}
			evaluate[bool](p, `document.querySelector("#start summary").focus() ?? true`)
			p.do(chromedp.KeyEvent(kb.Tab))
			p.until(`document.activeElement.textContent === "Copy" && document.activeElement.closest("#start") !== null`)
			p.do(chromedp.KeyEvent(kb.Enter))
			p.until(`/copy/i.test(document.querySelector("#news").textContent) || document.querySelector("#news").textContent === "Copied."`)
		})
	}
}

// TestTheFocusStays: the focus never leaves the widget.
func TestTheFocusStays(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{})
	w := c.openWidget(desktop, nil)
	w.at("This service asks to see your work and income data").press("Agree and continue").at("Where do you work?")
	for range 40 {
		w.keys(kb.Tab)
		if got := evaluate[bool](w.tab, `document.activeElement === document.body || document.activeElement.matches("[data-smile-link]")`); !got {
			t.Fatal("the focus is on the page behind")
		}
	}
}

// readsWell fails unless every control has a name, and every page a heading
// that names the dialog, as a screen reader needs.
func (w *widget) readsWell() {
	w.t.Helper()
	nameless := evaluate[[]string](w.tab, `[...`+shadow+`.querySelectorAll("button, input")].filter((control) => {
		const label = control.getAttribute("aria-label") || control.labels?.[0]?.textContent || control.textContent;
		return !label.trim();
	}).map((control) => control.outerHTML)`)
	if len(nameless) > 0 {
		w.t.Errorf("without a name: %q", nameless)
	}
	if got := evaluate[string](w.tab, shadow+`.getElementById(`+shadow+`.querySelector("dialog").getAttribute("aria-labelledby"))?.tagName ?? ""`); got != "H2" {
		w.t.Errorf("the dialog is named by %q", got)
	}
	if got := evaluate[int](w.tab, shadow+`.querySelectorAll("[id]").length - new Set([...`+shadow+`.querySelectorAll("[id]")].map((e) => e.id)).size`); got != 0 {
		w.t.Errorf("%d ids occur twice", got)
	}
}
