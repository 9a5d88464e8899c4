package server

import (
	"cmp"
	"net/http"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
)

// The Link API is what the widget calls. The vendor's is not published, so this
// one is the sandbox's own. It is next to the Open API, has the same envelope,
// and is authenticated by a link token. Its calls are in the journal and faults
// apply to them. The rate limit does not, because they come from users'
// browsers.

// Limits on what a person enters into the widget.
const (
	maxLoginLength = 200
	maxCodeLength  = 20
)

// linkOperations is every operation of the Link API. It is filled in init,
// because handlers refer to it.
var linkOperations []*operation

func init() {
	linkOperations = []*operation{
		{method: "GET", path: "/link/session", id: "link-get-session", handle: forUser(getLinkSession)},
		{method: "POST", path: "/link/session/complete", id: "link-complete-session", handle: forUser(completeLinkSession)},
		{method: "GET", path: "/link/providers", id: "link-list-providers", handle: forUser(listLinkProviders)},
		{method: "POST", path: "/link/employerSurveys", id: "link-answer-employer-survey", handle: forUser(answerEmployerSurvey)},
		{method: "POST", path: "/link/accounts", id: "link-create-account", handle: forUser(createLinkAccount)},
		{method: "GET", path: "/link/accounts/{id}", id: "link-get-account", handle: forUser(getLinkAccount)},
		{method: "POST", path: "/link/accounts/{id}/mfa", id: "link-send-code", handle: forUser(sendLinkCode)},
		{method: "DELETE", path: "/link/accounts/{id}", id: "link-delete-account", handle: forUser(deleteLinkAccount)},
	}
	linkOperations = append(linkOperations, uploadOperations()...)
	for _, o := range linkOperations {
		o.link = true
	}
}

// forUser calls a handler with the user of the link token and the tenant
// locked. A user who was deleted by a reset has no session.
func forUser(how func(*call, *user) reply) func(*call) reply {
	return func(c *call) reply {
		c.tenant.mu.Lock()
		defer c.tenant.mu.Unlock()
		u, ok := c.tenant.users.byID[c.userID]
		if !ok {
			return refuse(http.StatusForbidden, "The link token is for a user who does not exist.")
		}
		return how(c, u)
	}
}

// linkSession is what the widget starts with. ExpiresIn is in seconds on the
// sandbox clock, which the browser does not have.
type linkSession struct {
	UserID     string           `json:"userId"`
	Mode       Mode             `json:"mode"`
	ExpiresIn  int              `json:"expiresIn"`
	Accounts   []accountOfLogin `json:"accounts"`
	Archives   []archiveWire    `json:"archives"`
	TestPeople []testLogin      `json:"testPeople"`
}

// accountOfLogin is an account with its login. A code belongs to an attempt, because
// a person can have the widget open in several windows.
type accountOfLogin struct {
	Account
	Attempt int `json:"attempt"`
	// TriesLeft is how many codes may still be entered.
	TriesLeft int `json:"triesLeft"`
}

func (c *call) accountOfLogin(a *account) accountOfLogin {
	shown := accountOfLogin{Account: a.wire(), Attempt: a.attempt}
	if wrong, awaited := a.awaited[a.attempt]; awaited {
		shown.TriesLeft = c.box.behavior.CodeTries() - wrong
	}
	return shown
}

// testLogin is a test person's login. The widget shows it in sandbox mode.
type testLogin struct {
	Login    string `json:"login"`
	Password string `json:"password"`
	MFA      string `json:"mfa"`
	// ErrorCode and Effect are those of a person with trouble.
	ErrorCode string `json:"errorCode,omitempty"`
	Effect    string `json:"effect,omitempty"`
}

func getLinkSession(c *call, u *user) reply {
	shown := linkSession{
		UserID: u.id, Mode: c.tenant.pair.Mode, ExpiresIn: int(c.link.ExpiresAt.Sub(c.now).Seconds()),
		Accounts: []accountOfLogin{}, Archives: u.uploads(), TestPeople: []testLogin{},
	}
	for _, a := range u.accounts {
		if a.status != Disconnected {
			shown.Accounts = append(shown.Accounts, c.accountOfLogin(a))
		}
	}
	if shown.Mode == ModeSandbox {
		shown.TestPeople = c.box.testPeople()
	}
	return ok(shown)
}

// completeLinkSession is called when the user leaves the widget with Done.
func completeLinkSession(c *call, u *user) reply {
	c.tenant.completeSession(u, c.now)
	c.committed = true
	return done()
}

// linkProvider is a provider with its login options.
type linkProvider struct {
	*fixtures.Provider
	LoginOptions []loginOption `json:"loginOptions"`
}

// loginOption is what the login form asks for. InputMode and Autocomplete are
// the values of the HTML attributes of that name.
type loginOption struct {
	ID           string `json:"id"`
	Label        string `json:"label"`
	InputMode    string `json:"inputMode"`
	Autocomplete string `json:"autocomplete"`
}

var (
	byAnyLogin = loginOption{"any", "User name, e-mail or mobile number", "text", "username"}
	byPhone    = loginOption{"phone", "Mobile number", "tel", "tel"}
	byEmail    = loginOption{"email", "E-mail address", "email", "email"}
)

// loginOptions of providers with a choice.
var loginOptions = map[string][]loginOption{
	"grab": {byPhone, byEmail},
}

func listLinkProviders(*call, *user) reply {
	items := make([]any, 0, len(fixtures.Providers))
	for _, p := range fixtures.Providers {
		if !p.Active || !p.Enabled {
			continue
		}
		offered, chosen := loginOptions[p.ID]
		if !chosen {
			offered = []loginOption{byAnyLogin}
		}
		items = append(items, linkProvider{p, offered})
	}
	return ok(page{Items: items})
}

// surveyForm is the answer of a user whose employer is not listed.
var surveyForm = validate.Form{validate.Required("employer", validate.Text(1, validate.MaxIDLength))}

// answerEmployerSurvey accepts an answer. It is not kept, because the API does
// not show it.
func answerEmployerSurvey(c *call, _ *user) reply {
	if _, wrong := validate.ReadForm[struct{}](c.body, surveyForm); wrong != nil {
		return badRequest(wrong)
	}
	return done()
}

// codeRequest is the second step of a login. Attempt is what the response to the
// first step had; default the account's last one.
type codeRequest struct {
	Code    string `json:"code"`
	Attempt int    `json:"attempt"`
}

var (
	loginForm = validate.Form{
		validate.Required("providerId", validate.Text(1, validate.MaxIDLength)),
		validate.Required("login", validate.Text(1, maxLoginLength)),
		validate.Required("password", validate.Text(1, maxLoginLength)),
	}
	codeForm = validate.Form{
		validate.Required("code", validate.Text(1, maxCodeLength)),
		validate.Optional("attempt", validate.Number),
	}
)

func createLinkAccount(c *call, u *user) reply {
	entered, wrong := validate.ReadForm[LinkRequest](c.body, loginForm)
	if wrong != nil {
		return badRequest(wrong)
	}
	p := fixtures.ProviderByID(entered.ProviderID)
	switch {
	case p == nil:
		return missing()
	case !p.AccountConnection || !p.Active || !p.Enabled:
		return refuse(http.StatusForbidden, "The provider has no login.")
	}
	c.committed = true
	entered.UserID = u.id
	return ok(c.accountOfLogin(c.box.linker.link(c.tenant, u, p, entered, c.now)))
}

func getLinkAccount(c *call, u *user) reply {
	return c.withAccount(u, func(a *account) reply { return ok(c.accountOfLogin(a)) })
}

// sendLinkCode handles a code. If the code's attempt has ended meanwhile, because
// another window was faster or because the call is repeated, the response is how
// it ended.
func sendLinkCode(c *call, u *user) reply {
	return c.withAccount(u, func(a *account) reply {
		entered, wrong := validate.ReadForm[codeRequest](c.body, codeForm)
		if wrong != nil {
			return badRequest(wrong)
		}
		attempt := cmp.Or(entered.Attempt, a.attempt)
		if _, awaited := a.awaited[attempt]; !awaited && (entered.Attempt <= 0 || attempt > a.attempt) {
			return badRequest(validate.Wrong("code", "was not expected: this account waits for no one-time code"))
		}
		c.committed = true
		return ok(c.accountOfLogin(c.box.linker.enterCode(c.tenant, a, attempt, entered.Code, c.now)))
	})
}

func deleteLinkAccount(c *call, u *user) reply {
	return c.withAccount(u, func(a *account) reply {
		c.tenant.revokeAccount(a, c.now)
		c.committed = true
		return done()
	})
}

// withAccount finds the user's account that the path names. It refuses an
// account of another user. A revoked account is missing.
func (c *call) withAccount(u *user, how func(*account) reply) reply {
	a, ok := c.tenant.accounts.byID[c.id()]
	switch {
	case !ok || a.status == Disconnected:
		return missing()
	case a.owner != u:
		return belongsToAnother("account")
	}
	return how(a)
}
