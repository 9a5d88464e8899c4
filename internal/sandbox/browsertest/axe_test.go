//go:build e2e

package browsertest

import (
	_ "embed"
	"strings"

	"github.com/chromedp/chromedp"
)

// axe is axe-core, which finds what people with disabilities cannot use. Its license
// is next to it.
//
//go:embed testdata/axe-core/axe.min.js
var axe string

// What axe looks at.
const (
	everything = `document`
	widgetOnly = `{include: [["[data-smile-link]"]]}`
)

// accessible fails the test for each violation that axe finds within a part of the
// page.
func (p *tab) accessible(where, within string) {
	p.t.Helper()
	if loaded := evaluate[bool](p, `typeof axe === "object"`); !loaded {
		// The page's policy does not apply to the debugger.
		if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[any](axe+"; true")); err != nil {
			p.t.Fatal(err)
		}
	}
	found := evaluate[[]string](p, `axe.run(`+within+`, {resultTypes: ["violations"]}).then(({violations}) =>
		violations.flatMap(({id, nodes}) => nodes.map((node) => id + ": " + node.failureSummary + " " + node.html.slice(0, 200))))`)
	if len(found) > 0 {
		p.t.Errorf("%s, %s: %d violations\n%s", where, p.screen.name, len(found), strings.Join(found, "\n"))
	}
}
