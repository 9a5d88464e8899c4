//go:build e2e

package browsertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// listed returns the names of all rows, with the headings of their sections.
func (w *widget) listed() string {
	w.t.Helper()
	return evaluate[string](w.tab, `[...`+shadow+`.querySelectorAll("section")].map((s) => s.querySelector("h3").textContent + ": "
		+ [...s.querySelectorAll(".row")].map((r) => r.querySelector("strong").textContent).join(", ")).join("; ")`)
}

func TestOptions(t *testing.T) {
	parallel(t)
	const (
		search = `.querySelector("[type=search]") !== null`
		types  = `.querySelector("[role=radiogroup]") !== null`
		all    = "SSS, Upwork, Freelancer, Grab, ABC Platform, XYZ Gig Company, CDE Corporation, NBI"
	)
	for name, o := range map[string]struct {
		set                    options
		listed                 string
		search, types, upright bool
	}{
		"defaults":         {options{}, "All: " + all, true, true, true},
		"no bars":          {options{"enableSearchBar": false, "enableTypeBar": false}, "All: " + all, false, false, true},
		"top providers":    {options{"topProviders": []string{"nbi_ph", "nowhere", "grab"}}, "Popular: NBI, Grab; More: SSS, Upwork, Freelancer, ABC Platform, XYZ Gig Company, CDE Corporation", true, true, true},
		"two providers":    {options{"providers": []string{"upwork", "sss_ph"}}, "All: SSS, Upwork", true, true, true},
		"one kind":         {options{"providerTypes": []string{"GOVERNMENT"}}, "All: SSS, NBI", true, false, true},
		"upload":           {options{"enableUpload": true}, "All: " + all + ", ABC Coporation; No login?: Upload documents", true, true, true},
		"of another type":  {options{"providers": "sss_ph", "enableSearchBar": "no", "onClose": 1, "companyName": 7}, "All: " + all, true, true, true},
		"null":             {options{"providers": nil, "apiHost": nil, "templateId": nil}, "All: " + all, true, true, true},
		"unknown template": {options{"templateId": "wtpl-1"}, "All: " + all, true, true, true},
		"sample model":     {options{"enableSampleModel": true}, "All: " + all, true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCompany(t, sandbox.Options{})
			w := c.openWidget(desktop, o.set)
			w.at("This service asks to see your work and income data").press("Agree and continue").at("Where do you work?")
			if diff := cmp.Diff(o.listed, w.listed()); diff != "" {
				t.Error("listed (-want):", diff)
			}
			if got := evaluate[bool](w.tab, shadow+search); got != o.search {
				t.Errorf("search bar: %t", got)
			}
			if got := evaluate[bool](w.tab, shadow+types); got != o.types {
				t.Errorf("type bar: %t", got)
			}
			if got := evaluate[bool](w.tab, shadow+`.querySelector("dialog").offsetWidth < innerWidth`); got != o.upright {
				t.Errorf("smaller than its window: %t", got)
			}
		})
	}
}

func TestSearchAndTypes(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{})
	w := c.openWidget(phone, nil)
	w.at("This service asks to see your work and income data").press("Agree and continue").at("Where do you work?")
	for _, step := range []struct{ search, kind, want string }{
		{"", "Govt Service", "Results: SSS, NBI"},
		{"bureau", "Govt Service", "Results: NBI"},
		{"bureau", "Gig Platform", ""},
		{"  GIG  xyz ", "Gig Platform", "Results: XYZ Gig Company"},
		{"", "All", "All: SSS, Upwork, Freelancer, Grab, ABC Platform, XYZ Gig Company, CDE Corporation, NBI"},
	} {
		w.press(step.kind).enter("Search employers and platforms", step.search)
		if got := w.listed(); got != step.want {
			t.Errorf("%q among %s lists %q, want %q", step.search, step.kind, got, step.want)
		}
	}
}

// TestSizesForFingers: what is pressed is at least 44 pixels high on a phone.
func TestSizesForFingers(t *testing.T) {
	parallel(t)
	w := newCompany(t, sandbox.Options{}).openWidget(phone, nil)
	w.at(consent).press("Agree and continue").at("Where do you work?")
	if small := evaluate[[]string](w.tab, `[...`+shadow+`.querySelectorAll("button, label.type")]
		.filter((control) => control.checkVisibility() && control.getBoundingClientRect().height < 44)
		.map((control) => control.getBoundingClientRect().height + " " + control.textContent)`); len(small) > 0 {
		t.Errorf("too small: %q", small)
	}
}

// TestHostPagesThatMisbehave: errors of the host page do not stop the widget,
// and a second widget replaces the first.
func TestHostPagesThatMisbehave(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{})
	w := c.openWidget(desktop, nil)
	w.at("This service asks to see your work and income data").press("Close").gone()
	evaluate[bool](w.tab, fmt.Sprintf(`new SmileLinkModal({userToken: %q, onUIEvent() { throw new Error("a bug of the host"); }}).open() ?? true`, c.token))
	w.at("This service asks to see your work and income data").press("Agree and continue").at("Where do you work?")
	evaluate[bool](w.tab, `document.querySelector("#start").click() ?? true`)
	w.at("This service asks to see your work and income data")
	if got := evaluate[int](w.tab, `document.querySelectorAll("[data-smile-link]").length`); got != 1 {
		t.Errorf("%d widgets", got)
	}
	w.press("Not now").gone()
	if got := evaluate[string](w.tab, `document.documentElement.style.overflow`); got != "" {
		t.Errorf("the page's overflow is left at %q", got)
	}
}

// TestNothingIsMarkup: a name that contains markup is shown as text.
func TestNothingIsMarkup(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{})
	evil := `<img src=x onerror="calls.push({name: 'evil', values: []})">`
	w := c.openWidget(desktop, options{"companyName": evil})
	w.at(evil + " asks to see your work and income data").press("Close").gone()
	for _, heard := range w.heard() {
		if strings.Contains(heard.Name, "evil") {
			t.Error("the company's name was executed as HTML")
		}
	}
}
