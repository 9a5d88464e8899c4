// Package webhook reconciles SmileWebhookSubscriptions. It registers each as exactly one webhook at Smile, replaces the webhook
// after every change without losing an event, and deletes it with the object.
package webhook

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
)

// +kubebuilder:rbac:groups=smile-operator.io,resources=smilewebhooksubscriptions,verbs=list;watch;patch
// +kubebuilder:rbac:groups=smile-operator.io,resources=smilewebhooksubscriptions/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;update;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	concurrency = 8

	// DefaultOverlap is how long a webhook that was replaced stays at Smile, and how long after its deletion events that are
	// signed with its pair are accepted. Smile sends an event up to three times within a minute or two.
	DefaultOverlap = 10 * time.Minute

	// giveUp is how long a deletion waits for Smile. A webhook that is left then sends events that no receiver accepts.
	giveUp = 15 * time.Minute
)

// Reconciler reconciles SmileWebhookSubscriptions. It lives as long as the process; a scope lives for one reconcile.
type Reconciler struct {
	// Client writes; it reads SmileWebhookSubscriptions from the cache.
	Client client.Client
	// Secrets reads Secrets, live.
	Secrets client.Reader
	// Connections to Smile.
	Connections *connection.Registry
	// Mirrors of the remote side.
	Mirrors *mirror.Set
	// Outputs writes the Secrets that hold the pairs.
	Outputs *output.Writer
	// Checks are the objects whose output may have been deleted or changed.
	Checks engine.Wakes
	// Policy decides where events may be sent.
	Policy *hook.Policy
	// Overlap between a webhook and the one that replaces it.
	Overlap time.Duration
	// Identity keys the fingerprints.
	Identity identity.Key
	// Events of the objects.
	Events events.EventRecorder
	// HeadStart waits between the intent and the call until the receivers of all replicas know the pair; nil does not wait.
	HeadStart func(context.Context) error
	// Clock of everything.
	Clock clock.PassiveClock

	attempts attempts
}

// Engine returns the life of SmileWebhookSubscriptions, with the phases of this kind.
func (r *Reconciler) Engine() *engine.Reconciler[*v1alpha1.SmileWebhookSubscription] {
	return &engine.Reconciler[*v1alpha1.SmileWebhookSubscription]{
		Client: r.Client, Events: r.Events, Clock: r.Clock,
		Kind: engine.Kind[*v1alpha1.SmileWebhookSubscription]{
			Name:   "SmileWebhookSubscription",
			New:    func() *v1alpha1.SmileWebhookSubscription { return &v1alpha1.SmileWebhookSubscription{} },
			Phases: r.phases,
			Guard: func(ctx context.Context, run *run) error {
				s := &scope{r: r}
				s.findRemote(ctx, run)
				return s.withdraw(ctx, run)
			},
			Undo: &engine.Undo[*v1alpha1.SmileWebhookSubscription]{
				Finalizer: v1alpha1.FinalizerWebhook,
				Live:      r.Secrets,
				Needed: func(sub *v1alpha1.SmileWebhookSubscription) bool {
					return sub.Spec.DeletionPolicy != v1alpha1.WebhookRetain
				},
				Run:    func(ctx context.Context, run *run) error { return (&scope{r: r}).unregister(ctx, run) },
				GiveUp: giveUp,
			},
		},
	}
}

func (r *Reconciler) phases() (
	[]engine.Phase[*v1alpha1.SmileWebhookSubscription], engine.Conclude[*v1alpha1.SmileWebhookSubscription],
) {
	s := &scope{r: r}
	return []engine.Phase[*v1alpha1.SmileWebhookSubscription]{
		{Condition: v1alpha1.ConditionConnectionReady, Done: "the connection can be used", Run: s.connect},
		{Condition: v1alpha1.ConditionRegistered, Done: "Smile sends the events", Run: engine.Step(s.register)},
		{Condition: v1alpha1.ConditionSecretUsePermitted, Run: s.checkSecretUse},
	}, nil
}

// SetupWithManager adds the controller to a manager.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	reconciler := r.Engine()
	return ctrl.NewControllerManagedBy(mgr).
		Named("smilewebhooksubscription").
		For(&v1alpha1.SmileWebhookSubscription{}, builder.WithPredicates(predicate.Or(engine.Relevant(), reconciler.Altered()))).
		Watches(&v1alpha1.SmileConnection{}, handler.EnqueueRequestsFromMapFunc(r.ofConnection),
			builder.WithPredicates(engine.BecameUsable())).
		WatchesRawSource(engine.Woken(r.Checks)).
		WithOptions(reconciler.Options(concurrency, engine.LongestBackoff, r.tenant)).
		Complete(reconciler)
}

func (r *Reconciler) tenant(ctx context.Context, name types.NamespacedName) engine.Tenant {
	var sub v1alpha1.SmileWebhookSubscription
	if r.Client.Get(ctx, name, &sub) != nil {
		return engine.Tenant{}
	}
	return r.Connections.Tenant(ctx, sub.Namespace, sub.Spec.ConnectionRef)
}

func (r *Reconciler) ofConnection(ctx context.Context, conn client.Object) []reconcile.Request {
	return engine.RequestsFor(ctx, r.Client, &v1alpha1.SmileWebhookSubscriptionList{},
		client.InNamespace(conn.GetNamespace()), client.MatchingFields{index.Connection: conn.GetName()})
}
