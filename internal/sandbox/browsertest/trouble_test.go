//go:build e2e

package browsertest

import (
	"fmt"
	"testing"

	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

// TestPeopleWithTrouble: the page and the widget list the logins with which something
// goes wrong, and both can use them.
func TestPeopleWithTrouble(t *testing.T) {
	parallel(t)
	for _, s := range screens {
		for _, theme := range themes {
			t.Run(s.name+" "+theme, func(t *testing.T) {
				c := newCompany(t, sandbox.Options{})
				troubleOnPage(c, s, theme)
				troubleInWidget(c, s, theme)
			})
		}
	}
}

func troubleOnPage(c *company, s screen, theme string) {
	p := c.openPage(s, theme)
	p.click("#people-card summary")
	for _, trouble := range fixtures.Troubles {
		p.until(fmt.Sprintf(`[...document.querySelectorAll("#people tr")].some((row) =>
			[%q, %q, %q].every((text) => row.textContent.includes(text)))`, trouble.Login, trouble.Effect, trouble.ErrorCode))
	}
	evaluate[bool](p, `(document.querySelector("#people").scrollIntoView({block: "center"}), true)`)
	p.narrow()
	p.picture("35-trouble-page")
	p.accessible("the people with trouble", everything)
	p.clickText("Link …")
	p.until(`document.querySelector("#link-dialog").open`)
	evaluate[string](p, `document.querySelector("#l-login").value = "locked"`)
	p.picture("36-trouble-link")
	p.click("#link-dialog button[value=link]")
	p.until(`document.querySelector("#users .tag")?.textContent === "sss_ph account locked"`)
}

func troubleInWidget(c *company, s screen, theme string) {
	w := c.openWidget(s, options{"providers": []string{"sss_ph"}, "enableConsentPage": false})
	w.theme(theme)
	w.at("Log in to SSS").press("Test accounts with trouble").says("every one-time code comes too late")
	evaluate[bool](w.tab, `(`+control("Fill in locked")+`.scrollIntoView({block: "center"}), true)`)
	w.fits()
	w.readsWell()
	w.picture("37-trouble-widget")
	w.accessible("the logins with trouble", widgetOnly)
	w.press("Fill in locked").press("Log in").at("Your account is locked")
	w.expectNames("onAccountError")
}
