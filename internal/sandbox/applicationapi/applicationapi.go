// Package applicationapi serves the application API of the operator over the people of a sandbox, with tokens that never change,
// so that a backend can be developed without Kubernetes.
package applicationapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/appapi"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// The callers and users of the API.
const (
	// Token is the token of a caller that may do everything in Namespace.
	Token = "sandbox-backend"
	// ReaderToken is the token of a caller that may do nothing.
	ReaderToken = "sandbox-reader"
	// Namespace has all users.
	Namespace = "default"
	// Suspended and NotReady are users that get no token, to develop what a backend does then.
	Suspended = "suspended"
	NotReady  = "not-ready"
	// Widget is the widget that calls may name. No page is served for it.
	Widget = "wink"
)

// What Widget adds to a token.
const (
	templateID  = "wtpl-sandbox"
	companyName = "Sandbox"
)

// notReadyCause is why NotReady is not: a reason of the operator's conditions.
const notReadyCause = "ConnectionNotReady"

// Users are the names of the users that get tokens: the sandbox's test people.
func Users() []string { return []string{"george", "ryan", "christina", "anisha"} }

// Config says which sandbox is served.
type Config struct {
	Sandbox *server.Sandbox
	// Key of the tenant whose users they are.
	Key string
	// URL of the sandbox, such as http://127.0.0.1:8484.
	URL string
	// Failed gets unexpected errors.
	Failed func(error)
}

// NewHandler makes the handler of the API.
func NewHandler(config Config) http.Handler {
	return appapi.NewHandler(appapi.Config{
		Gate: gate{}, People: people{config}, Links: people{config},
		Audit:   func(appapi.Record) {},
		Observe: func(string, string, time.Duration) {},
		Failed:  func(_ *appapi.Call, err error) { config.Failed(err) },
		Now:     time.Now,
	})
}

// gate knows callers by their tokens.
type gate struct{}

// caller is its own token: everybody may know these.
type caller string

// GetName implements appapi.Caller.
func (c caller) GetName() string { return string(c) }

// Authenticate implements appapi.Gate.
func (gate) Authenticate(_ context.Context, token string) (appapi.Caller, error) {
	if token != Token && token != ReaderToken {
		return nil, nil
	}
	return caller(token), nil
}

// Authorize implements appapi.Gate.
func (gate) Authorize(_ context.Context, who appapi.Caller, access appapi.Access) (bool, error) {
	return who.GetName() == Token && access.Namespace == Namespace, nil
}

// people mint tokens. There is no hosted page, and so there are no links.
type people struct{ Config }

// CreateLinkToken implements appapi.People.
func (p people) CreateLinkToken(_ context.Context, call *appapi.Call) (appapi.LinkToken, error) {
	if err := find(call); err != nil {
		return appapi.LinkToken{}, err
	}
	token, err := p.Sandbox.MintFor(p.Key, call.Name)
	if err != nil {
		return appapi.LinkToken{}, err
	}
	origin := strings.TrimSuffix(p.URL, "/")
	minted := appapi.LinkToken{
		AccessToken: appapi.Secret(token.AccessToken), ExpiresAt: token.ExpiresAt, Mode: string(token.Mode), UserID: token.UserID,
		APIHost: origin + "/v1", ScriptURL: origin + "/v2/smile.v2.js",
	}
	if call.Widget != "" {
		minted.TemplateID, minted.Options = templateID, map[string]any{"companyName": companyName}
	}
	return minted, nil
}

// CreateLink implements appapi.Links.
func (people) CreateLink(_ context.Context, call *appapi.Call) (appapi.Link, error) {
	if err := find(call); err != nil {
		return appapi.Link{}, err
	}
	return appapi.Link{}, appapi.NewProblem(appapi.ReasonPageNotServed)
}

// find fails if there is no such user or widget.
func find(call *appapi.Call) error {
	switch {
	case call.Name == Suspended:
		return appapi.NewProblem(appapi.ReasonSuspended)
	case call.Name == NotReady:
		return &appapi.Problem{Reason: appapi.ReasonUserNotReady, Cause: notReadyCause}
	case !slices.Contains(Users(), call.Name):
		return appapi.NewProblem(appapi.ReasonUserNotFound)
	case call.Widget != "" && call.Widget != Widget:
		return appapi.NewProblem(appapi.ReasonWidgetNotFound)
	}
	return nil
}
