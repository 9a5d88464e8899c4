//go:build e2e

package browsertest

import (
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// opened is the onUIEvent of a page.
func (c *company) opened(page string, account any) call {
	return call{"onUIEvent", []map[string]any{{
		"eventName": page, "mode": "SANDBOX", "userId": c.userID, "account": account, "archive": nil,
	}}}
}

// told is a callback about an account.
func (c *company) told(name, providerID, accountID string) call {
	return call{name, []map[string]any{{"accountId": accountID, "userId": c.userID, "providerId": providerID}}}
}

func closed(reason string) call {
	return call{"onClose", []map[string]any{{"reason": reason}}}
}

// theAccount is the id of the user's only account.
func (c *company) theAccount() string {
	c.t.Helper()
	accounts := c.accounts()
	if len(accounts) != 1 {
		c.t.Fatalf("the user has %d accounts", len(accounts))
	}
	return accounts[0].ID
}

func TestLinkAndRevoke(t *testing.T) {
	parallel(t)
	for name, how := range map[string]struct {
		screen screen
		framed bool
		quirks map[string]string
		set    func(*company) options
	}{
		"the script's origin": {desktop, false, nil, func(*company) options { return options{} }},
		"apiHost":             {desktop, false, nil, func(c *company) options { return options{"apiHost": c.box.URL + "/v1/"} }},
		"sandboxed frame":     {desktop, true, nil, func(*company) options { return options{"templateId": "", "enableSampleModel": true} }},
		"phone":               {phone, false, nil, func(*company) options { return options{} }},
		"frame on a phone":    {phone, true, nil, func(*company) options { return options{} }},
		"quirks": {desktop, false, map[string]string{
			"nulls": "absent", "extra-fields": "on", "unknown-enums": "on", "last-cursor": "absent", "created-code": "CREATED",
		}, func(*company) options { return options{} }},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCompany(t, sandbox.Options{LinkDelay: time.Millisecond, Quirks: how.quirks})
			open := c.openWidget
			if how.framed {
				open = c.openFramed
			}
			w := open(how.screen, how.set(c))
			if opaque := evaluate[bool](w.tab, `self.origin === "null"`); opaque != how.framed {
				t.Fatalf("the page has an opaque origin: %t", opaque)
			}
			c.linkAndRevoke(w)
			w.picture("story-" + map[bool]string{true: "framed", false: "plain"}[how.framed])
		})
	}
}

// linkAndRevoke links George at SSS, revokes the account and closes the widget.
func (c *company) linkAndRevoke(w *widget) {
	c.t.Helper()
	w.at("This service asks to see your work and income data").press("Agree and continue")
	w.at("Where do you work?").press("SSS")
	w.at("Log in to SSS").enter("User name, e-mail or mobile number", "George").enter("Password", "123456").press("Log in")
	w.at("Enter the code").enter("One-time code", "1234").press("Continue")
	w.at("SSS is connected")
	account := c.theAccount()
	atSSS := map[string]any{"providerId": "sss_ph"}
	thisOne := map[string]any{"providerId": "sss_ph", "accountId": account}
	story := []call{
		c.opened("ConsentPageOpened", nil),
		c.opened("ProviderListPageOpened", nil),
		c.opened("LoginPageOpened", atSSS),
		c.told("onAccountCreated", "sss_ph", account),
		c.opened("MfaPageOpened", atSSS),
		c.told("onAccountConnected", "sss_ph", account),
		c.opened("ConnectSuccessPageOpened", thisOne),
	}
	w.expect(story...)
	if got := c.accounts()[0].ConnectionStatus; got != sandbox.Connected {
		c.t.Errorf("the account is %s", got)
	}
	w.press("Connect another account").at("Where do you work?").pressMine("SSS").at("Your SSS account").press("Disconnect")
	w.at("Disconnect SSS?").press("Yes, disconnect")
	w.at("Where do you work?").says("SSS was disconnected.").press("Close").gone()
	w.expect(append(story,
		c.opened("ProviderListPageOpened", nil),
		c.opened("AccountRevokePageOpened", thisOne),
		c.told("onAccountRemoved", "sss_ph", account),
		c.opened("ProviderListPageOpened", nil),
		closed("close"))...)
	if got := c.accounts()[0].ConnectionStatus; got != sandbox.Disconnected {
		c.t.Errorf("after the revocation the account is %s", got)
	}
}

func TestDoneIsExit(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{})
	w := c.openWidget(phone, options{"providers": []string{"cdecorp"}, "enableConsentPage": false})
	w.at("Log in to CDE Corporation").enter("User name, e-mail or mobile number", "George").enter("Password", "123456").press("Log in")
	w.at("CDE Corporation is connected").press("Done").gone()
	account := c.theAccount()
	w.expect(
		c.opened("LoginPageOpened", map[string]any{"providerId": "cdecorp"}),
		c.told("onAccountCreated", "cdecorp", account),
		c.told("onAccountConnected", "cdecorp", account),
		c.opened("ConnectSuccessPageOpened", map[string]any{"providerId": "cdecorp", "accountId": account}),
		closed("exit"))
}

func TestWrongPasswordThenRight(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{})
	w := c.openWidget(desktop, options{"providers": []string{"cdecorp"}})
	w.at("This service asks to see your work and income data").press("Agree and continue")
	w.at("Log in to CDE Corporation").enter("User name, e-mail or mobile number", "George").enter("Password", "wrong").press("Log in")
	w.says("did not accept this login")
	account := c.theAccount()
	failed := c.told("onAccountError", "cdecorp", account)
	failed.Values[0]["errorCode"] = "INVALID_CREDENTIALS"
	story := []call{
		c.opened("ConsentPageOpened", nil),
		c.opened("LoginPageOpened", map[string]any{"providerId": "cdecorp"}),
		c.told("onAccountCreated", "cdecorp", account),
		failed,
	}
	w.expect(story...)
	w.enter("Password", "123456").press("Log in").at("CDE Corporation is connected")
	w.expect(append(story,
		c.told("onAccountConnected", "cdecorp", account),
		c.opened("ConnectSuccessPageOpened", map[string]any{"providerId": "cdecorp", "accountId": account}))...)
}

func TestWrongCode(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{})
	w := c.openWidget(desktop, options{"providers": []string{"sss_ph"}, "enableConsentPage": false})
	w.at("Log in to SSS").enter("User name, e-mail or mobile number", "George").enter("Password", "123456").press("Log in")
	w.at("Enter the code").enter("One-time code", "0000").press("Continue").at("That code did not work")
	calls := w.heard()
	if last := calls[len(calls)-1]; last.Name != "onAccountError" || last.Values[0]["errorCode"] != "INVALID_MFA" {
		t.Errorf("the last callback is %+v", last)
	}
	w.press("Try again").at("Log in to SSS").press("Close").gone()
	w.expectNames("onAccountCreated", "onAccountError", "onClose")
}

func TestExpiredToken(t *testing.T) {
	parallel(t)
	over := func(w *widget) {
		t.Helper()
		w.at("This session has ended")
		w.expectNames("onTokenExpired")
		w.picture("14-expired")
		w.press("Exit").gone()
		w.expectNames("onTokenExpired", "onClose")
		if calls := w.heard(); len(calls[0].Values) != 0 && calls[0].Name == "onTokenExpired" {
			t.Errorf("onTokenExpired has arguments: %+v", calls[0])
		}
		if calls := w.heard(); calls[len(calls)-1].Values[0]["reason"] != "error" {
			t.Errorf("closed with %+v", calls[len(calls)-1])
		}
	}
	advance := func(c *company, d time.Duration) {
		if err := c.box.Advance(d); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("before", func(t *testing.T) {
		c := newCompany(t, sandbox.Options{})
		advance(c, 5*time.Hour)
		over(c.openWidget(desktop, nil))
	})
	t.Run("meanwhile", func(t *testing.T) {
		c := newCompany(t, sandbox.Options{})
		w := c.openWidget(phone, nil)
		w.at("This service asks to see your work and income data").press("Agree and continue").at("Where do you work?").press("SSS")
		w.at("Log in to SSS").enter("User name, e-mail or mobile number", "George").enter("Password", "123456")
		advance(c, 5*time.Hour)
		w.press("Log in")
		over(w)
	})
	t.Run("once", func(t *testing.T) {
		c := newCompany(t, sandbox.Options{})
		advance(c, 5*time.Hour-time.Minute)
		w := c.openWidget(desktop, options{"providers": []string{"cdecorp"}, "enableConsentPage": false})
		w.at("Log in to CDE Corporation").enter("User name, e-mail or mobile number", "George").enter("Password", "123456")
		advance(c, time.Minute+time.Second)
		w.press("Log in").at("This session has ended")
		w.stays("This session has ended") // the widget's own clock, which follows the sandbox clock, says so too
		over(w)
	})
	t.Run("voided", func(t *testing.T) {
		c := newCompany(t, sandbox.Options{Quirks: map[string]string{"new-token": "voids"}})
		w := c.openWidget(desktop, options{"providers": []string{"cdecorp"}, "enableConsentPage": false})
		w.at("Log in to CDE Corporation").enter("User name, e-mail or mobile number", "George").enter("Password", "123456")
		c.post("/v1/tokens?userId="+c.userID, "")
		w.press("Log in")
		over(w)
	})
	t.Run("untouched", func(t *testing.T) {
		c := newCompany(t, sandbox.Options{})
		advance(c, 5*time.Hour-4*time.Second)
		over(c.openWidget(desktop, nil))
	})
}

func TestTokensThatOpenNothing(t *testing.T) {
	parallel(t)
	for name, token := range map[string]string{"forged": "smile.e30.x", "none": "", "nonsense": "x"} {
		t.Run(name, func(t *testing.T) {
			c := newCompany(t, sandbox.Options{})
			w := c.openWidget(desktop, options{"userToken": token})
			w.at("This session cannot be opened").press("Exit").gone()
			w.expect(closed("error"))
		})
	}
}
