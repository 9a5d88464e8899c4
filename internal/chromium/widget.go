package chromium

import (
	"fmt"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Root is an expression: what contains the widget while it is open.
const Root = `document.querySelector("[data-smile-link]")?.shadowRoot`

// Shown is an expression: all text that a person sees, of the widget if it is open, else of the page.
const Shown = `(` + Root + `?.querySelector("dialog")?.textContent ?? document.body?.innerText ?? "")`

// Settled is an expression: whether the widget accepts clicks and keys, which it does not right after a page appeared.
const Settled = `!` + Root + `?.querySelector("dialog")?.hasAttribute("data-settling")`

// At waits for a page of the widget with that heading, until it can be used.
func (p *Page) At(heading string) error {
	return p.Until(fmt.Sprintf(`%s?.querySelector("h2")?.textContent === %q && %s`, Root, heading, Settled))
}

// Says waits until a text is shown.
func (p *Page) Says(text string) error { return p.Until(fmt.Sprintf(`%s.includes(%q)`, Shown, text)) }

// Gone waits until the widget is closed.
func (p *Page) Gone() error { return p.Until(Root + ` === undefined`) }

// name is an expression: the accessible name of a control, as the widget makes it.
const name = `((c) => c.getAttribute("aria-label") ?? c.querySelector?.("strong")?.textContent
	?? c.labels?.[0]?.textContent ?? c.textContent)`

// Press clicks the button with that name.
func (p *Page) Press(text string) error {
	found := fmt.Sprintf(`[...%s.querySelectorAll("button")].find((b) => !b.disabled && %s(b) === %q)`, Root, name, text)
	if err := p.Until(`Boolean(` + found + `) && ` + Settled); err != nil {
		return err
	}
	_, err := Evaluate[bool](p, found+`.click() ?? true`)
	return err
}

// Enter types into the field with that label.
func (p *Page) Enter(label, text string) error {
	found := fmt.Sprintf(`[...%s.querySelectorAll("input")].find((i) => %s(i) === %q)`, Root, name, label)
	if err := p.Until(found); err != nil {
		return err
	}
	if _, err := Evaluate[bool](p, found+`.focus() ?? true`); err != nil {
		return err
	}
	return p.Do(chromedp.KeyEvent(text))
}

// focused is an expression: the name of the focused control, in the widget or on the page.
const focused = `((f) => f ? ` + name + `(f) : "")((` + Root + `)?.activeElement ?? document.activeElement)`

// TabTo presses Tab until the focused control has that name.
func (p *Page) TabTo(text string) error {
	var passed []string
	for range 40 {
		if err := p.Do(chromedp.KeyEvent(kb.Tab)); err != nil {
			return err
		}
		at, err := Evaluate[string](p, focused)
		if err != nil {
			return err
		}
		if at == text {
			return nil
		}
		passed = append(passed, at)
	}
	return fmt.Errorf("the Tab key never reaches %q, only %q", text, passed)
}

// PressByKey reaches a control by Tab, and presses Enter.
func (p *Page) PressByKey(text string) error {
	there := fmt.Sprintf(`[...(%s ?? document).querySelectorAll("button, a")].some((b) => !b.disabled && %s(b) === %q)`,
		Root, name, text)
	if err := p.Until(there + ` && ` + Settled); err != nil {
		return err
	}
	if err := p.TabTo(text); err != nil {
		return err
	}
	return p.Do(chromedp.KeyEvent(kb.Enter))
}

// TypeByKey reaches a field by Tab, and types.
func (p *Page) TypeByKey(label, text string) error {
	if err := p.TabTo(label); err != nil {
		return err
	}
	return p.Do(chromedp.KeyEvent(text))
}
