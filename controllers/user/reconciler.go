// Package user reconciles SmileUsers. It creates each person at Smile exactly once, keeps a link token if the spec asks for one,
// counts the linked accounts, and revokes them on deletion if the policy says so.
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
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// concurrency is how many users are reconciled at once. A connection that is alone has three quarters of the workers, which is
// 16. The budget limits the rate of calls, not this.
const concurrency = 22

// Reconciler reconciles SmileUsers. It lives as long as the process; a scope lives for one reconcile.
type Reconciler struct {
	// Client writes; it reads SmileUsers from the cache.
	Client client.Client
	// Live reads past the cache.
	Live client.Reader
	// Connections to Smile.
	Connections *connection.Registry
	// Mirrors of the remote side.
	Mirrors *mirror.Set
	// Owners checks which object owns a remote user.
	Owners *ownership.Checker
	// Outputs writes the Secrets of link tokens.
	Outputs *output.Writer
	// Identity makes the digests of the audit log.
	Identity identity.Key
	// Audit receives a record of each revoke.
	Audit *auditlog.Log
	// Checks are the objects whose output may have been deleted or changed.
	Checks engine.Wakes
	// Events of the objects.
	Events events.EventRecorder
	// Creation creates users.
	Creation *creation.Protocol
	// Clock of everything.
	Clock clock.PassiveClock

	refreshes requestedRefreshes
	minted    minted
	// readers is how many reconciles wait for a call that reads accounts.
	readers atomic.Int32
}

// Engine returns the life of SmileUsers, with the phases of this kind.
func (r *Reconciler) Engine() *engine.Reconciler[*v1alpha1.SmileUser] {
	return &engine.Reconciler[*v1alpha1.SmileUser]{
		Client: r.Client, Events: r.Events, Clock: r.Clock,
		Kind: engine.Kind[*v1alpha1.SmileUser]{
			Name:   "SmileUser",
			New:    func() *v1alpha1.SmileUser { return &v1alpha1.SmileUser{} },
			Phases: r.phases,
			Undo: &engine.Undo[*v1alpha1.SmileUser]{
				Finalizer: v1alpha1.FinalizerRevoke,
				Live:      r.Live,
				Needed: func(user *v1alpha1.SmileUser) bool {
					return user.Spec.DeletionPolicy == v1alpha1.UserRevokeAccounts
				},
				Run: func(ctx context.Context, run *run) error { return (&scope{r: r}).revoke(ctx, run) },
			},
			Gone: r.forget,
		},
	}
}

func (r *Reconciler) phases() ([]engine.Phase[*v1alpha1.SmileUser], engine.Conclude[*v1alpha1.SmileUser]) {
	s := &scope{r: r}
	return []engine.Phase[*v1alpha1.SmileUser]{
		{Condition: v1alpha1.ConditionConnectionReady, Done: "the connection can be used", Run: s.connect},
		{Condition: v1alpha1.ConditionSecretUsePermitted, Run: s.checkSubjectUse},
		{Condition: v1alpha1.ConditionProvisioned, Done: "the person is a user at Smile", Run: engine.Step(s.provision)},
		{Condition: v1alpha1.ConditionTokenIssued, Done: "the Secret holds a fresh link token", Run: s.issueToken},
		{Run: engine.Step(s.countAccounts)},
	}, s.conclude
}

func (r *Reconciler) forget(name types.NamespacedName) {
	r.Creation.Forget(name)
	r.refreshes.forget(name)
	r.minted.forget(name)
	r.Mirrors.ForgetHint(name)
	r.Mirrors.ForgetClaims(name)
}

// SetupWithManager adds the controller to a manager.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	reconciler := r.Engine()
	return ctrl.NewControllerManagedBy(mgr).
		Named("smileuser").
		For(&v1alpha1.SmileUser{}, builder.WithPredicates(predicate.Or(engine.Relevant(), engine.Hinted(), reconciler.Altered()))).
		Watches(&v1alpha1.SmileConnection{}, handler.EnqueueRequestsFromMapFunc(r.ofConnection),
			builder.WithPredicates(engine.BecameUsable())).
		WatchesRawSource(source.TypedChannel(r.Mirrors.Changes(), handler.TypedEnqueueRequestsFromMapFunc(r.ofRemoteUser))).
		WatchesRawSource(engine.Woken(r.Checks)).
		WithOptions(reconciler.Options(concurrency, engine.LongestBackoff, r.tenant)).
		Complete(reconciler)
}

func (r *Reconciler) tenant(ctx context.Context, name types.NamespacedName) engine.Tenant {
	var user v1alpha1.SmileUser
	if r.Client.Get(ctx, name, &user) != nil {
		return engine.Tenant{}
	}
	return r.Connections.Tenant(ctx, user.Namespace, user.Spec.ConnectionRef)
}

// ofConnection returns the users to reconcile when their connection becomes usable.
func (r *Reconciler) ofConnection(ctx context.Context, conn client.Object) []reconcile.Request {
	return engine.RequestsFor(ctx, r.Client, &v1alpha1.SmileUserList{},
		client.InNamespace(conn.GetNamespace()), client.MatchingFields{index.Connection: conn.GetName()})
}

// ofRemoteUser returns the SmileUsers whose status differs from what the mirror has read about their remote user.
func (r *Reconciler) ofRemoteUser(ctx context.Context, change mirror.Change) []reconcile.Request {
	var users v1alpha1.SmileUserList
	if err := r.Client.List(ctx, &users, client.MatchingFields{index.RemoteUser: change.UserID}); err != nil {
		return nil // a synced cache does not fail
	}
	var requests []reconcile.Request
	for i := range users.Items {
		if users.Items[i].UID != change.Reader && r.isNews(&users.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&users.Items[i])})
		}
	}
	return requests
}
