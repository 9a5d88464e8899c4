//go:build e2e

package browsertest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// What people do by mistake, and what goes wrong around them.

const (
	consent = "This service asks to see your work and income data"
	byLogin = "User name, e-mail or mobile number"
)

// doubleClick clicks a button twice with the mouse, within the time of a double
// click. The second click is at the same place, whatever is there by then.
func (w *widget) doubleClick(text string) *widget {
	w.t.Helper()
	at := w.center(text)
	for clicks := 1; clicks <= 2; clicks++ {
		w.do(chromedp.MouseClickXY(at[0], at[1], chromedp.ClickCount(clicks)))
	}
	return w
}

// clickTwice clicks a place twice. To the browser these are two separate clicks.
func (w *widget) clickTwice(text string) *widget {
	w.t.Helper()
	at := w.center(text)
	w.do(chromedp.MouseClickXY(at[0], at[1]), chromedp.MouseClickXY(at[0], at[1]))
	return w
}

// center waits for a button that accepts clicks, and returns its place.
func (w *widget) center(text string) [2]float64 {
	w.t.Helper()
	found := control(text)
	w.until(`Boolean(` + found + `) && ` + settled)
	return [2]float64(evaluate[[]float64](w.tab, `(() => {
		const box = `+found+`;
		box.scrollIntoView({block: "center"});
		const {x, y, width, height} = box.getBoundingClientRect();
		return [x + width / 2, y + height / 2];
	})()`))
}

func TestDoubleClicks(t *testing.T) {
	parallel(t)
	for _, s := range screens {
		for name, twice := range map[string]func(*widget, string) *widget{
			"double click": (*widget).doubleClick, "two clicks": (*widget).clickTwice,
		} {
			t.Run(s.name+" "+name, func(t *testing.T) {
				c := newCompany(t, sandbox.Options{})
				w := c.openWidget(s, nil)
				twice(w.at(consent), "Agree and continue").at("Where do you work?").stays("Where do you work?")
				twice(w, "SSS").at("Log in to SSS").stays("Log in to SSS")
				w.enter(byLogin, "George").enter("Password", "123456")
				twice(w, "Log in").at("Enter the code").enter("One-time code", "1234")
				twice(w, "Continue").at("SSS is connected").stays("SSS is connected")
				twice(w, "Connect another account").at("Where do you work?").stays("Where do you work?")
				w.pressMine("SSS").at("Your SSS account")
				twice(w, "Disconnect").at("Disconnect SSS?").stays("Disconnect SSS?")
				w.picture("26-disconnect")
				w.press("Keep connected").at("Your SSS account")
				if got := c.accounts()[0].ConnectionStatus; got != sandbox.Connected {
					t.Errorf("after double clicks the account is %s", got)
				}
				w.press("Disconnect").at("Disconnect SSS?").press("Yes, disconnect").says("SSS was disconnected.")
				if got := c.accounts()[0].ConnectionStatus; got != sandbox.Disconnected {
					t.Errorf("after a disconnect the account is %s", got)
				}
			})
		}
	}
}

// stays fails if another page appears within half a second.
func (w *widget) stays(heading string) *widget {
	w.t.Helper()
	if got := evaluate[string](w.tab, fmt.Sprintf(`new Promise((resolve) => setTimeout(() => resolve(%s?.querySelector("h2")?.textContent ?? "no page"), 500))`, shadow)); got != heading {
		w.t.Fatalf("on %q, want %q", got, heading)
	}
	return w
}

// another opens a second widget for the same person in a window of its own.
func (c *company) another(set options) *widget { return c.openWidget(desktop, set) }

// onEveryScreen runs a test for each size of window.
func onEveryScreen(t *testing.T, test func(t *testing.T, s screen)) {
	t.Helper()
	for _, s := range screens {
		t.Run(s.name, func(t *testing.T) { test(t, s) })
	}
}

func (w *widget) logIn(login, password string) *widget {
	w.t.Helper()
	return w.at("Log in to SSS").enter(byLogin, login).enter("Password", password).press("Log in")
}

var straightToSSS = options{"providers": []string{"sss_ph"}, "enableConsentPage": false}

// TestTwoWindows: a person who has the widget open twice can finish in both.
func TestTwoWindows(t *testing.T) {
	parallel(t)
	onEveryScreen(t, twoWindows)
}

func twoWindows(t *testing.T, s screen) {
	c := newCompany(t, sandbox.Options{})
	first, second := c.openWidget(s, straightToSSS), c.openWidget(s, straightToSSS)
	first.logIn("George", "123456").at("Enter the code")
	second.logIn("George", "123456").at("Enter the code")
	first.enter("One-time code", "1234").press("Continue").at("SSS is connected")
	second.enter("One-time code", "1234").press("Continue").at("SSS is connected")
	if got := c.theAccount(); got == "" {
		t.Error("no account")
	}
	second.expectNames("onAccountCreated", "onAccountConnected")
}

// TestTwoLogins: a code connects the account of the login that it was asked for.
func TestTwoLogins(t *testing.T) {
	parallel(t)
	onEveryScreen(t, twoLogins)
}

func twoLogins(t *testing.T, s screen) {
	c := newCompany(t, sandbox.Options{})
	first, second := c.openWidget(s, straightToSSS), c.openWidget(s, straightToSSS)
	first.logIn("George", "123456").at("Enter the code")
	second.logIn("Anisha", "123456").at("Enter the code")
	first.enter("One-time code", "1234").press("Continue").at("SSS is connected")
	names := rows[struct{ FullName string }](c, "/v1/identities?userId="+c.userID)
	if len(names) != 1 || names[0].FullName != "George Cimafranca Palomero, Jr" {
		t.Errorf("the code of George connects %+v", names)
	}
	second.enter("One-time code", "1234").press("Continue").at("SSS is connected")
	if got := len(rows[struct{ FullName string }](c, "/v1/identities?userId="+c.userID)); got != 2 {
		t.Errorf("%d people are connected", got)
	}
}

// offline makes every call of the page fail, or stops that.
func (w *widget) offline(yes bool) {
	w.t.Helper()
	evaluate[bool](w.tab, fmt.Sprintf(`(() => {
		window.online ??= window.fetch;
		window.fetch = %t ? () => Promise.reject(new TypeError("offline")) : window.online;
		return true;
	})()`, yes))
}

// value is what a field holds.
func (w *widget) value(name string) string {
	w.t.Helper()
	return evaluate[string](w.tab, fmt.Sprintf(`%s.querySelector("[name=%s]")?.value ?? "no field"`, shadow, name))
}

// TestTryAgain: after a failure the same is tried again, with the same input.
func TestTryAgain(t *testing.T) {
	parallel(t)
	for _, s := range screens {
		t.Run(s.name, func(t *testing.T) {
			c := newCompany(t, sandbox.Options{})
			w := c.openWidget(s, straightToSSS)
			w.at("Log in to SSS").offline(true)
			w.logIn("George", "123456").at("There is no connection").picture("27-offline")
			w.press("Try again").at("There is no connection") // still offline
			if err := c.box.SetFaults([]sandbox.Fault{{Operation: "link-create-account", Action: "delay:1s"}}); err != nil {
				t.Fatal(err)
			}
			w.offline(false)
			w.press("Try again").at("Log in to SSS")
			if got := w.value("login") + " " + w.value("password"); got != "George 123456" {
				t.Errorf("the page for the second try has %q", got)
			}
			w.at("Enter the code").enter("One-time code", "1234").offline(true)
			w.press("Continue").at("There is no connection").offline(false)
			if err := c.box.SetFaults([]sandbox.Fault{{Operation: "link-send-code", Action: "status:503"}}); err != nil {
				t.Fatal(err)
			}
			w.press("Try again").at("Something went wrong").press("Try again").at("SSS is connected")
			w.expectNames("onAccountCreated", "onAccountConnected")
		})
	}
	t.Run("at the start", func(t *testing.T) {
		c := newCompany(t, sandbox.Options{})
		if err := c.box.SetFaults([]sandbox.Fault{{Operation: "link-get-session", Action: "status:503"}}); err != nil {
			t.Fatal(err)
		}
		c.openWidget(desktop, nil).at("Something went wrong").press("Try again").at(consent)
	})
	t.Run("another login", func(t *testing.T) {
		c := newCompany(t, sandbox.Options{})
		w := c.openWidget(desktop, options{"providers": []string{"grab"}, "enableConsentPage": false})
		w.at("How do you log in to Grab?").press("E-mail address").at("Log in to Grab")
		w.enter("E-mail address", "George").enter("Password", "123456").press("Log in").at("Enter the code")
		w.enter("One-time code", "0000").press("Continue").at("That code did not work").press("Try again").at("Log in to Grab")
		if got := w.value("login"); got != "George" {
			t.Errorf("the login is %q", got)
		}
	})
}

// TestCodes: spaces in a code do not matter, and a quirk permits two more tries.
func TestCodes(t *testing.T) {
	parallel(t)
	t.Run("spaces", func(t *testing.T) {
		w := newCompany(t, sandbox.Options{}).another(straightToSSS)
		w.logIn("George", "123456").at("Enter the code").enter("One-time code", " 12 34 ").press("Continue").at("SSS is connected")
	})
	t.Run("retry", func(t *testing.T) {
		w := newCompany(t, sandbox.Options{Quirks: map[string]string{"wrong-code": "retry"}}).another(straightToSSS)
		w.logIn("George", "123456").at("Enter the code").enter("One-time code", "1").press("Continue").says("You have two more tries.")
		w.enter("One-time code", "2").press("Continue").says("You have one more try.").picture("28-wrong-code")
		w.enter("One-time code", "1234").press("Continue").at("SSS is connected")
		w.expectNames("onAccountCreated", "onAccountConnected")
	})
	t.Run("exhausted", func(t *testing.T) {
		w := newCompany(t, sandbox.Options{Quirks: map[string]string{"wrong-code": "retry"}}).another(straightToSSS)
		w.logIn("George", "123456").at("Enter the code").enter("One-time code", "1").press("Continue").says("You have two more tries.")
		w.enter("One-time code", "2").press("Continue").says("You have one more try.")
		w.enter("One-time code", "3").press("Continue").at("That code did not work")
	})
}

// TestLongNames: a company's name of any length and script leaves the page
// usable.
func TestLongNames(t *testing.T) {
	parallel(t)
	long := "Rechtsschutzversicherungsgesellschaftenvermittlungsagentur"
	for name, test := range map[string]struct{ company, initials string }{
		"one word":  {long + long, "R"},
		"graphemes": {"👩‍👩‍👧‍👦 नमस्ते", "👩‍👩‍👧‍👦न"},
		"period":    {"Acme Inc.", "AI"},
	} {
		for _, s := range screens {
			t.Run(name+" "+s.name, func(t *testing.T) {
				w := newCompany(t, sandbox.Options{}).openWidget(s, options{"companyName": test.company})
				w.at(test.company + " asks to see your work and income data").fits()
				w.picture("29-name-" + name)
				w.accessible("a long name", widgetOnly)
				if got := evaluate[string](w.tab, shadow+`.querySelector(".tile").textContent`); got != test.initials {
					t.Errorf("the initials are %q", got)
				}
				if got := evaluate[string](w.tab, shadow+`.querySelector("dialog").innerText`); strings.Contains(got, "..") {
					t.Errorf("two periods in %q", got)
				}
				at := w.center("Agree and continue")
				if at[0] < 0 || at[0] > float64(s.width) {
					t.Errorf("the button is at %v", at)
				}
				w.do(chromedp.MouseClickXY(at[0], at[1]))
				w.at("Where do you work?")
			})
		}
	}
}

// hold presses a key and keeps it pressed: the browser repeats it.
func (p *tab) hold(key string, code int64, times int) {
	p.t.Helper()
	for i := range times {
		p.key(input.DispatchKeyEventParams{
			Type: input.DispatchKeyEventTypeKeyDown, Key: key, Code: key, Text: "\r", WindowsVirtualKeyCode: code, AutoRepeat: new(i > 0),
		})
	}
	p.key(input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: key, Code: key, WindowsVirtualKeyCode: code})
}

func (p *tab) key(event input.DispatchKeyEventParams) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, t, input.DispatchKeyEvent, event)
	}); err != nil {
		p.t.Fatal(err)
	}
}

// TestHoldingEnter: the key that closes the widget does not open it again.
func TestHoldingEnter(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{})
	w := c.openWidget(desktop, nil)
	w.at(consent).tabTo("Not now")
	w.until(settled)
	w.hold("Enter", 13, 6)
	w.gone()
	w.expectNames("onClose")
	w.hold("Enter", 13, 6)
	w.at(consent).stays(consent)
}

// TestTimesOfEvents: the times of events are those of the sandbox clock.
func TestTimesOfEvents(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{})
	if err := c.box.Advance(3 * time.Hour); err != nil {
		t.Fatal(err)
	}
	w := c.openWidget(desktop, nil)
	w.at(consent)
	at := decode[time.Time](t, evaluate[string](w.tab, `JSON.stringify(calls.at(-1).values[0].eventTime)`))
	if behind := c.box.Now().Sub(at).Abs(); behind > time.Minute {
		t.Errorf("an event is %s off", behind)
	}
}
