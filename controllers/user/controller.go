// Package user reconciles SmileUsers: it creates each person at Smile exactly once, keeps a link token where one is
// wanted, counts the linked accounts and, where the policy says so, revokes them on deletion.
package user

import (
	"context"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/creation"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/ownership"
)

// +kubebuilder:rbac:groups=smile-operator.io,resources=smileusers,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=smile-operator.io,resources=smileusers/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;update;delete
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=smileusers.smile-operator.io,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// concurrency is how many users are reconciled at once: 16 of a connection that is alone, which has three quarters of the workers.
// Calls are paced by the budget, not by this.
const concurrency = 22

// Controller holds what the reconciling of users needs.
type Controller struct {
	// Client writes; it reads SmileUsers from the cache.
	Client client.Client
	// Live reads past the cache.
	Live client.Reader
	// Connections to Smile.
	Connections *connection.Registry
	// Mirrors of the remote side.
	Mirrors *mirror.Set
	// Owners tells whose a remote user is.
	Owners *ownership.Checker
	// Outputs writes the Secrets of link tokens.
	Outputs *output.Writer
	// Identity makes the digests of the audit log.
	Identity identity.Key
	// Audit gets a record of each revoke.
	Audit *auditlog.Log
	// Checks are the objects whose output is to be looked at, because it may be gone or changed.
	Checks engine.Wakes
	// Events of the objects.
	Events events.EventRecorder
	// Creation creates users.
	Creation *creation.Protocol
	// Clock of everything.
	Clock clock.PassiveClock

	asks   asks
	minted minted
	// looking is how many passes wait for a call that reads accounts.
	looking atomic.Int32
}

// Reconciler makes the reconciler of SmileUsers.
func (c *Controller) Reconciler() *engine.Reconciler[*v1alpha1.SmileUser] {
	return &engine.Reconciler[*v1alpha1.SmileUser]{
		Client: c.Client, Events: c.Events, Clock: c.Clock,
		Kind: engine.Kind[*v1alpha1.SmileUser]{
			Name: "SmileUser",
			New:  func() *v1alpha1.SmileUser { return &v1alpha1.SmileUser{} },
			Phases: func() ([]engine.Phase[*v1alpha1.SmileUser], engine.Conclude[*v1alpha1.SmileUser]) {
				v := &visit{Controller: c}
				return []engine.Phase[*v1alpha1.SmileUser]{
					{Condition: v1alpha1.ConditionConnectionReady, Done: "the connection can be used", Run: v.connect},
					{Condition: v1alpha1.ConditionSecretUsePermitted, Run: v.checkSubjectUse},
					{Condition: v1alpha1.ConditionProvisioned, Done: "the person is a user at Smile", Run: engine.Step(v.provision)},
					{Condition: v1alpha1.ConditionTokenIssued, Done: "the Secret holds a fresh link token", Run: v.issueToken},
					{Run: engine.Step(v.countAccounts)},
					{Run: engine.Step(func(context.Context, *pass) error { return v.trouble })},
				}, nil
			},
			Undo: &engine.Undo[*v1alpha1.SmileUser]{
				Finalizer: v1alpha1.FinalizerRevoke,
				Live:      c.Live,
				Needed: func(user *v1alpha1.SmileUser) bool {
					return user.Spec.DeletionPolicy == v1alpha1.UserRevokeAccounts
				},
				Run: func(ctx context.Context, pass *engine.Run[*v1alpha1.SmileUser]) error {
					return (&visit{Controller: c}).revoke(ctx, pass)
				},
			},
			Gone: c.forget,
		},
	}
}

func (c *Controller) forget(name types.NamespacedName) {
	c.Creation.Forget(name)
	c.asks.forget(name)
	c.minted.forget(name)
	c.Mirrors.ForgetHint(name)
	c.Mirrors.ForgetClaims(name)
}

// SetupWithManager registers the controller.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	reconciler := c.Reconciler()
	return ctrl.NewControllerManagedBy(mgr).
		Named("smileuser").
		For(&v1alpha1.SmileUser{}, builder.WithPredicates(predicate.Or(engine.Relevant(), engine.Hinted(), reconciler.Altered()))).
		Watches(&v1alpha1.SmileConnection{}, handler.EnqueueRequestsFromMapFunc(c.ofConnection),
			builder.WithPredicates(engine.BecameUsable())).
		WatchesRawSource(source.TypedChannel(c.Mirrors.Changes(), handler.TypedEnqueueRequestsFromMapFunc(c.ofRemoteUser))).
		WatchesRawSource(engine.Woken(c.Checks)).
		WithOptions(reconciler.Options(concurrency, engine.LongestBackoff, c.tenant)).
		Complete(reconciler)
}

func (c *Controller) tenant(ctx context.Context, name types.NamespacedName) engine.Tenant {
	var user v1alpha1.SmileUser
	if c.Client.Get(ctx, name, &user) != nil {
		return engine.Tenant{}
	}
	return c.Connections.Tenant(ctx, user.Namespace, user.Spec.ConnectionRef)
}

// ofConnection finds the users to wake when their connection becomes usable or stops being it.
func (c *Controller) ofConnection(ctx context.Context, conn client.Object) []reconcile.Request {
	return engine.RequestsFor(ctx, c.Client, &v1alpha1.SmileUserList{},
		client.InNamespace(conn.GetNamespace()), client.MatchingFields{index.Connection: conn.GetName()})
}

// ofRemoteUser finds the users to whom what the mirror has learned is news. After a start their statuses are all that
// was known before.
func (c *Controller) ofRemoteUser(ctx context.Context, change mirror.Change) []reconcile.Request {
	var users v1alpha1.SmileUserList
	if err := c.Client.List(ctx, &users, client.MatchingFields{index.RemoteUser: change.UserID}); err != nil {
		return nil // a synced cache does not fail
	}
	var requests []reconcile.Request
	for i := range users.Items {
		if users.Items[i].UID != change.Reader && c.isNews(&users.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&users.Items[i])})
		}
	}
	return requests
}
