package broker

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/appapi"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/broker/wink"
)

// Links makes links to the hosted page, and opens them. Both are done by the process that leads, which alone knows which links
// were opened. So a link is not valid after the process that made it has ended.
type Links struct {
	// People mints the tokens with which the page starts the widget.
	People *People
	// Codes issues the codes of links, and Sessions remembers which links were opened.
	Codes    *wink.Codes
	Sessions *wink.Sessions
	// BaseURL is where browsers reach the page; empty if no page is served.
	BaseURL string
	// Audit gets a record of each link that is opened.
	Audit *auditlog.Log
}

// CreateLink implements appapi.Links.
func (l *Links) CreateLink(ctx context.Context, call *appapi.Call) (appapi.Link, error) {
	if l.BaseURL == "" {
		return appapi.Link{}, appapi.NewProblem(appapi.ReasonPageNotServed)
	}
	if l.People.Fence() != nil {
		return appapi.Link{}, appapi.NewProblem(appapi.ReasonLeaderUnavailable)
	}
	user, err := l.People.find(ctx, call)
	if err != nil {
		return appapi.Link{}, err
	}
	widget, err := l.People.widgetOf(ctx, user, call.Widget)
	if err != nil {
		return appapi.Link{}, err
	}
	if widget.Spec.Page == nil {
		return appapi.Link{}, appapi.NewProblem(appapi.ReasonPageNotServed)
	}
	code, link, err := l.Codes.Issue(call.Namespace, widget.Name, user.UID, call.ExpiresIn)
	if err != nil {
		return appapi.Link{}, err
	}
	if l.People.Fence() != nil {
		return appapi.Link{}, appapi.NewProblem(appapi.ReasonLeadershipLost)
	}
	return appapi.Link{URL: appapi.Secret(wink.URLOf(l.BaseURL, call.Namespace, widget.Name, code)), ExpiresAt: link.ExpiresAt}, nil
}

// Open is the leader's wink.Exchange.
func (l *Links) Open(ctx context.Context, request wink.Request) wink.Answer {
	link, err := l.linkOf(request)
	if err != nil {
		return wink.Refused(wink.ReasonOf(err))
	}
	began := time.Now()
	record := auditlog.Record{
		Actor:  auditlog.ActorWinkPage,
		Object: auditlog.Object{Namespace: link.Namespace, Kind: "SmileUser", UID: string(link.User)},
		Action: auditlog.ActionMinted, Reason: auditlog.ReasonLinkOpened, Outcome: auditlog.OutcomeSucceeded,
	}
	opened, err := l.start(ctx, link, &record)
	if err != nil {
		record.Outcome = outcomeOf(reasonOf(err))
	}
	record.Call = &auditlog.Call{ID: link.ID, Problem: string(reasonOf(err)), DurationMS: time.Since(began).Milliseconds()}
	l.Audit.Write(record)
	if err != nil {
		return wink.Refused(shownAs(err))
	}
	return wink.Succeed(opened)
}

// linkOf finds the link of a request by its code, or by its tab if there is no code.
func (l *Links) linkOf(request wink.Request) (wink.Link, error) {
	if request.Code == "" {
		return l.Sessions.Resume(request.Namespace, request.Widget, request.Tab)
	}
	link, err := l.Codes.Verify(request.Code, request.Namespace, request.Widget)
	if err != nil {
		return wink.Link{}, err
	}
	return link, l.Sessions.Open(link, request.Tab)
}

// start mints the token, and collects the options, with which the page starts the widget.
func (l *Links) start(ctx context.Context, link wink.Link, record *auditlog.Record) (wink.Opened, error) {
	if l.People.Fence() != nil {
		return wink.Opened{}, appapi.NewProblem(appapi.ReasonLeaderUnavailable)
	}
	user, err := l.People.findByUID(ctx, link.Namespace, link.User)
	if err != nil {
		return wink.Opened{}, err
	}
	record.Object = auditlog.ObjectOf("SmileUser", user)
	widget, err := l.People.widgetOf(ctx, user, link.Widget)
	if err != nil {
		return wink.Opened{}, err
	}
	token, err := l.People.tokenFor(ctx, user, widget)
	if err != nil {
		return wink.Opened{}, err
	}
	return wink.Opened{
		AccessToken: string(token.AccessToken), APIHost: token.APIHost, TemplateID: token.TemplateID, Options: token.Options,
	}, nil
}

func reasonOf(err error) appapi.Reason {
	var found *appapi.Problem
	switch {
	case err == nil:
		return ""
	case errors.As(err, &found):
		return found.Reason
	default:
		return appapi.ReasonInternalError
	}
}

// shownAs is the reason that the page shows for a problem.
func shownAs(err error) wink.Reason {
	switch reasonOf(err) {
	case appapi.ReasonUserNotFound, appapi.ReasonUserNotReady, appapi.ReasonSuspended,
		appapi.ReasonWidgetNotFound, appapi.ReasonWidgetNotReady, appapi.ReasonWidgetMismatch:
		return wink.ReasonNotReady
	default:
		return wink.ReasonLater
	}
}

// findByUID finds a SmileUser. The cache has no index by UID, and finding one takes microseconds.
func (p *People) findByUID(ctx context.Context, namespace string, uid types.UID) (*v1alpha1.SmileUser, error) {
	var users v1alpha1.SmileUserList
	if err := p.Users.List(ctx, &users, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	for i := range users.Items {
		if users.Items[i].UID == uid {
			user := users.Items[i].DeepCopy()
			return user, unusable(user)
		}
	}
	return nil, appapi.NewProblem(appapi.ReasonUserNotFound)
}

// widgetOf finds a widget that can be used for a user.
func (p *People) widgetOf(ctx context.Context, user *v1alpha1.SmileUser, name string) (*v1alpha1.SmileWinkWidget, error) {
	var widget v1alpha1.SmileWinkWidget
	if err := p.Users.Get(ctx, types.NamespacedName{Namespace: user.Namespace, Name: name}, &widget); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil, appapi.NewProblem(appapi.ReasonWidgetNotFound)
		}
		return nil, err
	}
	cause := notReady(widget.Status.Conditions)
	switch {
	case widget.Spec.ConnectionRef.Name != user.Spec.ConnectionRef.Name:
		return nil, appapi.NewProblem(appapi.ReasonWidgetMismatch)
	case widget.Spec.Suspend:
		return nil, &appapi.Problem{Reason: appapi.ReasonWidgetNotReady, Cause: v1alpha1.ReasonSuspended}
	case cause != "":
		return nil, &appapi.Problem{Reason: appapi.ReasonWidgetNotReady, Cause: cause}
	}
	return &widget, nil
}

// addWidget adds to a token what a widget declares.
func addWidget(token *appapi.LinkToken, widget *v1alpha1.SmileWinkWidget) error {
	token.ScriptURL, token.APIHost, token.TemplateID = widget.Status.ScriptURL, widget.Status.APIHost, widget.Spec.TemplateID
	if widget.Spec.Options == nil {
		return nil
	}
	text, err := json.Marshal(widget.Spec.Options)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &token.Options)
}
