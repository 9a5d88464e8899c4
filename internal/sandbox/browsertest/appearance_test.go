//go:build e2e

package browsertest

import (
	"testing"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TestEveryPage: every page of the widget can be reached on every screen, fits its
// width, and has no barriers, in light and dark colors.
func TestEveryPage(t *testing.T) {
	parallel(t)
	for _, s := range screens {
		for _, theme := range themes {
			t.Run(s.name+" "+theme, func(t *testing.T) { everyPage(t, s, theme) })
		}
	}
}

func everyPage(t *testing.T, s screen, theme string) {
	c := newCompany(t, sandbox.Options{})
	w := c.openWidget(s, options{"companyName": "Niceloan", "topProviders": []string{"sss_ph", "grab"}})
	w.theme(theme)
	check := func(name string) {
		w.fits()
		w.readsWell()
		w.picture(name)
		w.accessible(name, widgetOnly)
	}
	w.at("Niceloan asks to see your work and income data")
	check("01-consent")
	w.press("Agree and continue").at("Where do you work?")
	check("02-list")
	w.enter("Search employers and platforms", "zzz").says("Nothing found")
	check("03-list-empty")
	w.press("My employer is not listed").at("Who do you work for?")
	check("03-survey")
	w.press("Send").says("Thank you for telling us.").press("Grab").at("How do you log in to Grab?")
	check("04-login-options")
	w.press("Back").at("Where do you work?").press("SSS").at("Log in to SSS")
	check("05-login")
	w.press("Test accounts")
	check("06-login-test-accounts")
	w.press("Log in").says("Enter your login.")
	w.enter("User name, e-mail or mobile number", "George").enter("Password", "wrong").press("Log in").says("did not accept")
	check("07-login-refused")
	w.enter("Password", "123456").press("Log in").at("Enter the code")
	check("08-code")
	w.enter("One-time code", "1234").press("Continue").at("SSS is connected")
	check("09-success")
	w.press("Connect another account").at("Where do you work?")
	check("10-list-connected")
	w.pressMine("SSS").at("Your SSS account")
	check("11-revoke")
	w.press("Disconnect").at("Disconnect SSS?")
	check("11-revoke-confirm")
	w.press("Yes, disconnect").says("SSS was disconnected.")
	check("12-list-revoked")
	if err := c.box.SetFaults([]sandbox.Fault{{Operation: "link-create-account", Action: "status:503"}}); err != nil {
		t.Fatal(err)
	}
	w.press("CDE Corporation").at("Log in to CDE Corporation")
	w.enter("User name, e-mail or mobile number", "George").enter("Password", "123456").press("Log in").says("Something went wrong")
	check("13-error")
	w.press("Exit").gone()
	pages := map[any]bool{}
	for _, heard := range w.heard() {
		if heard.Name == "onUIEvent" {
			pages[heard.Values[0]["eventName"]] = true
		}
	}
	for _, page := range []string{
		"ConsentPageOpened", "ProviderListPageOpened", "LoginPageOpened", "MfaPageOpened", "ConnectSuccessPageOpened",
		"AccountRevokePageOpened", "LoginOptionsPageOpened", "EmployerSurveyPageOpened",
	} {
		if !pages[page] {
			t.Errorf("no event %s arrived", page)
		}
	}
}

// fits fails if something is wider than the window.
func (w *widget) fits() {
	w.t.Helper()
	if got := evaluate[bool](w.tab, shadow+`.querySelector(".scroll").scrollWidth <= `+shadow+`.querySelector(".scroll").clientWidth`); !got {
		w.t.Error("the page is wider than the widget")
	}
}
