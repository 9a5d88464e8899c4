package broker

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/appapi"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/linktoken"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// People mints link tokens for SmileUsers. A process that does not lead mints them for known people only: those whose SmileUser
// is Ready, and whose user at Smile carries the marker.
type People struct {
	// Users reads SmileUsers and SmileWinkWidgets, from the cache.
	Users client.Reader
	// Connections to Smile.
	Connections *connection.Registry
	// Owners verifies that remote users belong to SmileUsers.
	Owners *ownership.Checker
	// Fence refuses once this process may no longer be the leader.
	Fence func() error
	// Standby is true if this process may mint tokens while it does not lead.
	Standby bool
}

// CreateLinkToken implements appapi.People.
func (p *People) CreateLinkToken(ctx context.Context, call *appapi.Call) (appapi.LinkToken, error) {
	user, err := p.find(ctx, call)
	if err != nil {
		return appapi.LinkToken{}, err
	}
	var widget *v1alpha1.SmileWinkWidget
	if call.Widget != "" {
		if widget, err = p.widgetOf(ctx, user, call.Widget); err != nil {
			return appapi.LinkToken{}, err
		}
	}
	return p.tokenFor(ctx, user, widget)
}

// find finds the SmileUser of a call, if it can be used.
func (p *People) find(ctx context.Context, call *appapi.Call) (*v1alpha1.SmileUser, error) {
	var user v1alpha1.SmileUser
	err := p.Users.Get(ctx, types.NamespacedName{Namespace: call.Namespace, Name: call.Name}, &user)
	if apierrors.IsNotFound(err) {
		return nil, appapi.NewProblem(appapi.ReasonUserNotFound)
	}
	if err != nil {
		return nil, err
	}
	call.UID = string(user.UID)
	return &user, unusable(&user)
}

// tokenFor mints a token, with what a widget declares; without a widget if it is nil.
func (p *People) tokenFor(
	ctx context.Context,
	user *v1alpha1.SmileUser,
	widget *v1alpha1.SmileWinkWidget,
) (appapi.LinkToken, error) {
	leads := p.Fence() == nil
	if !leads && !p.Standby {
		return appapi.LinkToken{}, appapi.NewProblem(appapi.ReasonLeaderUnavailable)
	}
	token, err := p.mint(ctx, user, leads)
	if leads && p.Fence() != nil {
		return appapi.LinkToken{}, appapi.NewProblem(appapi.ReasonLeadershipLost)
	}
	if err != nil {
		return appapi.LinkToken{}, refused(ctx, err)
	}
	if widget != nil {
		err = addWidget(&token, widget)
	}
	return token, err
}

// unusable is why a user gets no token; nil when it may get one.
func unusable(user *v1alpha1.SmileUser) error {
	if user.Spec.Suspend {
		return appapi.NewProblem(appapi.ReasonSuspended)
	}
	if !user.DeletionTimestamp.IsZero() {
		return &appapi.Problem{Reason: appapi.ReasonUserNotReady, Cause: v1alpha1.ReasonUserNotFound}
	}
	cause := notReady(user.Status.Conditions)
	if cause == "" && user.Status.UserID == "" {
		cause = v1alpha1.ReasonProgressing
	}
	if cause != "" {
		return &appapi.Problem{Reason: appapi.ReasonUserNotReady, Cause: cause}
	}
	return nil
}

// notReady is the reason for which an object is not Ready; empty if it is.
func notReady(conditions []metav1.Condition) string {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return v1alpha1.ReasonProgressing
	case ready.Status != metav1.ConditionTrue:
		return ready.Reason
	default:
		return ""
	}
}

func (p *People) mint(ctx context.Context, user *v1alpha1.SmileUser, leads bool) (appapi.LinkToken, error) {
	find, mint := p.Connections.For, linktoken.Mint
	if !leads {
		find, mint = p.Connections.ForStandby, linktoken.MintOnStandby
	}
	conn, err := find(ctx, user.Namespace, user.Spec.ConnectionRef)
	if err != nil {
		return appapi.LinkToken{}, err
	}
	token, err := mint(ctx, p.Owners, conn, user)
	if err != nil {
		return appapi.LinkToken{}, err
	}
	p.Owners.Mirrors.For(conn).TokenMinted(user.Status.UserID)
	frontend := linktoken.FrontendOf(conn.Endpoint, conn.Mode, "")
	return appapi.LinkToken{
		AccessToken: appapi.Secret(token.AccessToken.Reveal()), ExpiresAt: token.ExpiresAt, Mode: string(token.Mode),
		UserID: user.Status.UserID, APIHost: frontend.APIHost, ScriptURL: frontend.ScriptURL,
	}, nil
}

// refused returns the problem of the application API for an error of minting.
func refused(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return appapi.NewProblem(appapi.ReasonDeadlineExceeded).Because(err)
	}
	found := problem.Classify(err)
	switch {
	case found.Reason == v1alpha1.ReasonSuspended:
		return appapi.NewProblem(appapi.ReasonSuspended)
	case found.Reason == v1alpha1.ReasonUnexpectedError:
		return err
	case found.Class == problem.Throttled:
		throttled := appapi.NewProblem(appapi.ReasonThrottled)
		throttled.RetryAfter = max(throttled.RetryAfter, found.RetryAfter)
		return throttled.Because(err)
	case found.Class == problem.Transient:
		return appapi.NewProblem(appapi.ReasonSmileUnavailable).Because(err)
	default:
		return &appapi.Problem{Reason: appapi.ReasonUserNotReady, Cause: found.Reason, Err: err}
	}
}
