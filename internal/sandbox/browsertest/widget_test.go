//go:build e2e

package browsertest

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// widget is what a person sees of it.
type widget struct {
	*tab
	calls string // where the page keeps the callbacks
}

const shadow = `document.querySelector("[data-smile-link]")?.shadowRoot`

// at waits for a page with that heading.
func (w *widget) at(heading string) *widget {
	w.t.Helper()
	w.until(fmt.Sprintf(`%s?.querySelector("h2")?.textContent === %q`, shadow, heading))
	return w
}

// gone waits until the widget is closed.
func (w *widget) gone() {
	w.t.Helper()
	w.until(`document.querySelector("[data-smile-link]") === null`)
}

// press clicks the button or row with that accessible text.
func (w *widget) press(text string) *widget {
	w.t.Helper()
	found := fmt.Sprintf(`[...%s.querySelectorAll("button, summary, label.type")].find((b) =>
		!b.disabled && (b.getAttribute("aria-label") ?? b.querySelector("strong")?.textContent ?? b.textContent) === %q)`, shadow, text)
	w.until(`Boolean(` + found + `)`)
	ask[bool](w.tab, found+`.click() ?? true`)
	return w
}

// enter types into the field with that label.
func (w *widget) enter(label, text string) *widget {
	w.t.Helper()
	ask[bool](w.tab, fmt.Sprintf(`(() => {
		const root = %s, label = [...root.querySelectorAll("label")].find((l) => l.textContent === %q);
		const input = label ? root.getElementById(label.htmlFor) : root.querySelector("input[aria-label=" + JSON.stringify(%q) + "]");
		input.value = %q;
		return input.dispatchEvent(new Event("input", {bubbles: true}));
	})()`, shadow, label, label, text))
	return w
}

// says waits for a text anywhere in the widget.
func (w *widget) says(text string) *widget {
	w.t.Helper()
	w.until(fmt.Sprintf(`%s.querySelector("dialog").textContent.includes(%s)`, shadow, strconv.Quote(text)))
	return w
}

// call is one callback with its arguments.
type call struct {
	Name   string
	Values []map[string]any
}

// heard is every callback so far.
func (w *widget) heard() []call {
	w.t.Helper()
	var calls []call
	if err := json.Unmarshal([]byte(ask[string](w.tab, "JSON.stringify("+w.calls+")")), &calls); err != nil {
		w.t.Fatal(err)
	}
	return calls
}
