//go:build e2e

package browsertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TestPage: all actions of the page at / work, on every screen.
func TestPage(t *testing.T) {
	parallel(t)
	for _, s := range screens {
		t.Run(s.name, func(t *testing.T) {
			hooks := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			t.Cleanup(hooks.Close)
			c := newCompany(t, sandbox.Options{AllowHTTPWebhooks: true})
			c.post("/v1/webhooks", fmt.Sprintf(`{"name":"app","url":%q,"eventTypes":["ALL_EVENTS"],"active":true,"secret":"s"}`, hooks.URL+"/smile"))
			p := newTab(t, s)
			p.do(chromedp.Navigate(c.box.URL))
			p.until(`document.querySelectorAll("#users > .person").length === 1`)
			p.picture("20-page-start")

			p.click("#new-user")
			p.until(`document.querySelectorAll("#users > .person").length === 2`)
			p.clickText("Link …")
			p.until(`document.querySelector("#link-dialog").open`)
			p.picture("21-page-link")
			p.click("#link-dialog button[value=link]")
			p.until(`document.querySelector("#users .tag")?.textContent === "sss_ph connected"`)
			p.click("#users .tag")
			p.until(`document.querySelector("#account-dialog").open`)
			p.picture("22-page-account")
			p.click("#account-dialog button[value=fail]")
			p.until(`document.querySelector("#users .tag")?.textContent === "sss_ph account disabled"`)
			p.click("#users .tag")
			p.click("#account-dialog button[value=disconnect]")
			p.until(`document.querySelector("#users .tag")?.textContent === "sss_ph disconnected"`)

			before := c.box.Now()
			p.click("[data-advance='24h']")
			p.until(`document.querySelector("#news").textContent.includes("1 day ahead")`)
			if passed := c.box.Now().Sub(before); passed < day {
				t.Errorf("the clock went %s ahead", passed)
			}
			p.click("#fault button")
			p.until(`document.querySelector("#faults .code")?.textContent.includes("status:503")`)
			p.click("#no-faults")
			p.until(`document.querySelector("#faults .code") === null`)
			p.click("#seed button")
			p.until(`document.querySelector("#figures").textContent.includes("102 users")`)
			p.until(`document.querySelectorAll("#journal .line").length > 0 && document.querySelectorAll("#deliveries .line .ok").length > 2`)
			if got := evaluate[bool](p, `document.documentElement.scrollWidth <= innerWidth`); !got {
				t.Error("the page is wider than the window")
			}
			p.picture("23-page-full")
			p.theme("dark")
			p.picture("24-page-dark")

			p.click("#launcher button.primary")
			w := &widget{p}
			w.at("Niceloan asks to see your work and income data").picture("25-page-widget")
			w.press("Close").gone()
			p.until(`document.querySelector("#callbacks").textContent.includes("onClose")`)

			evaluate[bool](p, `(window.confirm = () => true)()`)
			p.click("#reset")
			p.until(`document.querySelectorAll("#users > .person").length === 0`)
			if got := c.box.Stats(); got.Users != 0 {
				t.Errorf("after the reset there are %d users", got.Users)
			}
		})
	}
}
