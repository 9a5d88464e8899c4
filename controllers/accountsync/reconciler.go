// Package accountsync reconciles SmileAccountSyncs. It observes the accounts that a user has linked, fetches their data when
// there is new data, and writes it, all or nothing, to the output that the spec names.
package accountsync

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/ownership"
)

// +kubebuilder:rbac:groups=smile-operator.io,resources=smileaccountsyncs,verbs=list;watch
// +kubebuilder:rbac:groups=smile-operator.io,resources=smileaccountsyncs/status,verbs=patch
// +kubebuilder:rbac:groups=smile-operator.io,resources=smileusers,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=secrets;configmaps,verbs=get;create;update;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	kind        = "SmileAccountSync"
	concurrency = 16
)

// Reconciler reconciles SmileAccountSyncs. It lives as long as the process; a scope lives for one reconcile.
type Reconciler struct {
	// Client writes; it reads SmileAccountSyncs and SmileUsers from the cache.
	Client client.Client
	// Connections to Smile.
	Connections *connection.Registry
	// Mirrors of the remote side.
	Mirrors *mirror.Set
	// Owners finds the object that owns a remote user.
	Owners *ownership.Checker
	// Outputs writes the data.
	Outputs *output.Writer
	// Annotations are those that templates may set on outputs.
	Annotations output.AnnotationPolicy
	// Selector is the label selector of the objects that this operator sees; "" if it sees all.
	Selector string
	// Ledger records the accounts whose data was erased because consent was withdrawn.
	Ledger *output.Ledger
	// Checks are the objects whose output must be compared, because it may be deleted or changed.
	Checks engine.Wakes
	// Checked is true when output checks are on: then Checks wakes each sync whose output this process has not read yet.
	Checked bool
	// Identity keys the seals and fingerprints of outputs.
	Identity identity.Key
	// Audit gets a record of each operation on personal data.
	Audit *auditlog.Log
	// Events of the objects.
	Events events.EventRecorder
	// Clock of everything.
	Clock clock.PassiveClock

	processed processedHints
	payloads  payloads
}

// Engine returns the life of SmileAccountSyncs, with the phases of this kind.
func (r *Reconciler) Engine() *engine.Reconciler[*v1alpha1.SmileAccountSync] {
	return &engine.Reconciler[*v1alpha1.SmileAccountSync]{
		Client: r.Client, Events: r.Events, Clock: r.Clock,
		Kind: engine.Kind[*v1alpha1.SmileAccountSync]{
			Name: kind,
			Gone: r.processed.forget,
			New:  func() *v1alpha1.SmileAccountSync { return &v1alpha1.SmileAccountSync{} },
			Phases: func() ([]engine.Phase[*v1alpha1.SmileAccountSync], engine.Conclude[*v1alpha1.SmileAccountSync]) {
				s := &scope{r: r}
				return []engine.Phase[*v1alpha1.SmileAccountSync]{
					{Condition: v1alpha1.ConditionTemplateApplied, Run: s.checkTemplate},
					{Condition: v1alpha1.ConditionOutputReady, Run: engine.Gather(s.inspect)},
					{Condition: v1alpha1.ConditionDataSynced, Run: engine.Gather(s.erase)},
					{Condition: v1alpha1.ConditionUserReady, Done: "the person is a user at Smile", Run: engine.Step(s.findUser)},
					{Condition: v1alpha1.ConditionDataSynced, Run: engine.Gather(s.confirmClock)},
					{Condition: v1alpha1.ConditionAccountsConnected, Run: engine.Gather(s.observe)},
					{Condition: v1alpha1.ConditionDataSynced, Run: engine.Gather(s.fetch)},
					{Condition: v1alpha1.ConditionOutputReady, Run: engine.Gather(s.write)},
					{Condition: v1alpha1.ConditionAccountsConnected, Run: engine.Gather(s.release)},
				}, s.conclude
			},
		},
	}
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	reconciler := r.Engine()
	return ctrl.NewControllerManagedBy(mgr).
		Named("smileaccountsync").
		For(&v1alpha1.SmileAccountSync{}, builder.WithPredicates(predicate.Or(engine.Relevant(), reconciler.Altered()))).
		Watches(&v1alpha1.SmileUser{}, handler.EnqueueRequestsFromMapFunc(r.ofUser), builder.WithPredicates(userChanged())).
		Watches(&v1alpha1.SmileConnection{}, handler.EnqueueRequestsFromMapFunc(r.ofConnection),
			builder.WithPredicates(engine.BecameUsable())).
		WatchesRawSource(source.TypedChannel(r.Mirrors.Changes(), handler.TypedEnqueueRequestsFromMapFunc(r.ofRemoteUser))).
		WatchesRawSource(engine.Woken(r.Checks)).
		WithOptions(reconciler.Options(concurrency, engine.LongestBackoff, r.tenant)).
		Complete(reconciler)
}

func (r *Reconciler) tenant(ctx context.Context, name types.NamespacedName) engine.Tenant {
	var sync v1alpha1.SmileAccountSync
	if r.Client.Get(ctx, name, &sync) != nil {
		return engine.Tenant{}
	}
	var user v1alpha1.SmileUser
	if r.Client.Get(ctx, types.NamespacedName{Namespace: name.Namespace, Name: sync.Spec.UserRef.Name}, &user) != nil {
		return engine.Tenant{}
	}
	return r.Connections.Tenant(ctx, user.Namespace, user.Spec.ConnectionRef)
}

// ofUser finds the syncs of a user.
func (r *Reconciler) ofUser(ctx context.Context, user client.Object) []reconcile.Request {
	return engine.RequestsFor(ctx, r.Client, &v1alpha1.SmileAccountSyncList{},
		client.InNamespace(user.GetNamespace()), client.MatchingFields{index.User: user.GetName()})
}

func (r *Reconciler) ofConnection(ctx context.Context, conn client.Object) []reconcile.Request {
	return r.ofUsers(ctx, client.InNamespace(conn.GetNamespace()), client.MatchingFields{index.Connection: conn.GetName()})
}

// ofRemoteUser finds the syncs for which a change of the mirror is news. After a start, the mirror is compared with their
// statuses.
func (r *Reconciler) ofRemoteUser(ctx context.Context, change mirror.Change) []reconcile.Request {
	var users v1alpha1.SmileUserList
	if err := r.Client.List(ctx, &users, client.MatchingFields{index.RemoteUser: change.UserID}); err != nil {
		return nil // a synced cache does not fail
	}
	var requests []reconcile.Request
	for i := range users.Items {
		user := &users.Items[i]
		var syncs v1alpha1.SmileAccountSyncList
		err := r.Client.List(ctx, &syncs, client.InNamespace(user.Namespace), client.MatchingFields{index.User: user.Name})
		if err != nil {
			return nil
		}
		for j := range syncs.Items {
			if syncs.Items[j].UID != change.Reader && r.isNews(user, &syncs.Items[j]) {
				requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&syncs.Items[j])})
			}
		}
	}
	return requests
}

// isNews reports whether the mirror shows something about a user that the status of a sync does not.
func (r *Reconciler) isNews(user *v1alpha1.SmileUser, sync *v1alpha1.SmileAccountSync) bool {
	memory, ok := r.Mirrors.Lookup(user)
	if !ok {
		return true
	}
	if readyReason(sync) == v1alpha1.ReasonMassDisappearance {
		return true
	}
	s := &scope{r: r, user: user}
	if accounts, ok := memory.CachedAccounts(user.Status.UserID); !ok || s.differs(sync, s.covered(sync, accounts)) {
		return true
	}
	gathered := memory.CachedGathered(user.Status.UserID)
	return slices.ContainsFunc(sync.Status.Accounts, func(entry v1alpha1.SyncedAccount) bool {
		of := fetchedOf(entry)
		return gathered[entry.ID].Newer(of.last, of.finished)
	})
}

func (r *Reconciler) ofUsers(ctx context.Context, options ...client.ListOption) []reconcile.Request {
	var users v1alpha1.SmileUserList
	if err := r.Client.List(ctx, &users, options...); err != nil {
		return nil // a synced cache does not fail
	}
	var requests []reconcile.Request
	for i := range users.Items {
		requests = append(requests, r.ofUser(ctx, &users.Items[i])...)
	}
	return requests
}

// userChanged selects users that were created or deleted, and those whose remote user, suspension or hints changed.
func userChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, after := e.ObjectOld.(*v1alpha1.SmileUser), e.ObjectNew.(*v1alpha1.SmileUser)
			return before.Status.UserID != after.Status.UserID || before.Spec.Suspend != after.Spec.Suspend ||
				!after.Status.HintedAt.Equal(before.Status.HintedAt)
		},
		DeleteFunc: func(event.DeleteEvent) bool { return true },
	}
}

func (r *Reconciler) userOf(ctx context.Context, sync *v1alpha1.SmileAccountSync) (*v1alpha1.SmileUser, error) {
	user := &v1alpha1.SmileUser{}
	name := types.NamespacedName{Namespace: sync.Namespace, Name: sync.Spec.UserRef.Name}
	return user, r.Client.Get(ctx, name, user)
}
