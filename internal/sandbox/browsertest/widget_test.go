//go:build e2e

package browsertest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/chromium"
)

// widget is the widget as a person sees it.
type widget struct{ *tab }

const shadow = chromium.Root

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

// control finds the button, row or chip with that accessible text.
func control(text string) string {
	return fmt.Sprintf(`[...%s.querySelectorAll("button, summary, label.type")].find((b) =>
		!b.disabled && (b.getAttribute("aria-label") ?? b.querySelector("strong")?.textContent ?? b.textContent) === %q)`, shadow, text)
}

// settled is true when the page accepts clicks: not right after it appeared.
const settled = chromium.Settled

// press clicks the button or row with that accessible text.
func (w *widget) press(text string) *widget {
	w.t.Helper()
	found := control(text)
	w.until(`Boolean(` + found + `) && ` + settled)
	evaluate[bool](w.tab, found+`.click() ?? true`)
	return w
}

// pressMine opens the person's own account at that provider.
func (w *widget) pressMine(name string) *widget {
	w.t.Helper()
	w.until(settled)
	if !evaluate[bool](w.tab, fmt.Sprintf(`[...%s.querySelectorAll("section")].find((s) => s.querySelector("h3").textContent === "Your accounts")
		?.querySelectorAll(".row").values().some((r) => r.querySelector("strong").textContent === %q && (r.click(), true)) ?? false`, shadow, name)) {
		w.t.Fatalf("no account at %s", name)
	}
	return w
}

// enter types into the field with that label.
func (w *widget) enter(label, text string) *widget {
	w.t.Helper()
	evaluate[bool](w.tab, fmt.Sprintf(`(() => {
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

// heard returns every callback so far, without the times of events.
func (w *widget) heard() []call {
	w.t.Helper()
	calls := decode[[]call](w.t, evaluate[string](w.tab, "JSON.stringify(calls)"))
	for _, c := range calls {
		if c.Name != "onUIEvent" {
			continue
		}
		at, _ := c.Values[0]["eventTime"].(string)
		if _, err := time.Parse(time.RFC3339, at); err != nil {
			w.t.Errorf("an event has the time %q", at)
		}
		delete(c.Values[0], "eventTime")
	}
	return calls
}

// expect compares every callback so far.
func (w *widget) expect(want ...call) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.heard()); diff != "" {
		w.t.Errorf("callbacks (- wanted, + heard):\n%s", diff)
	}
}

// expectNames compares the names of the callbacks that are not UI events.
func (w *widget) expectNames(want ...string) {
	w.t.Helper()
	got := []string{}
	for _, c := range w.heard() {
		if c.Name != "onUIEvent" {
			got = append(got, c.Name)
		}
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		w.t.Errorf("callbacks (- wanted, + heard):\n%s", diff)
	}
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}
