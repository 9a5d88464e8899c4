//go:build e2e

package browsertest

import (
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
	c := newCompany(t, sandbox.Options{})
	w := c.openWidget(desktop, nil)
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
	w.tabTo("Done").keys(kb.Enter).gone()
	w.expectNames("onClose", "onAccountCreated", "onAccountError", "onAccountConnected", "onClose")
}

// TestTheFocusStays: the focus never leaves the widget.
func TestTheFocusStays(t *testing.T) {
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
