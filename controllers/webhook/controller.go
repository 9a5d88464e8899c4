// Package webhook reconciles SmileWebhookSubscriptions: it registers each as exactly one webhook at Smile, replaces it
// when anything about it changes so that no event is lost in between, and deletes it with the object.
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
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=smilewebhooksubscriptions.smile-operator.io,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	concurrency = 8

	// DefaultOverlap is how long a webhook that was replaced stays at Smile, and how long after its deletion events
	// signed with its pair are still taken. Smile tries an event three times within a minute or two.
	DefaultOverlap = 10 * time.Minute

	// giveUp is how long a deletion waits for Smile. What is left then sends events that nobody takes.
	giveUp = 15 * time.Minute
)

// Controller holds what the reconciling of webhooks needs.
type Controller struct {
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
	// Checks are the objects whose output is to be looked at, because it may be gone or changed.
	Checks engine.Wakes
	// Policy says where events may be sent.
	Policy *hook.Policy
	// Overlap between a webhook and the one that replaces it.
	Overlap time.Duration
	// Identity keys the fingerprints.
	Identity identity.Key
	// Events of the objects.
	Events events.EventRecorder
	// HeadStart is waited for between the intent and the call, if set: every replica's receiver is to know the pair
	// before Smile does.
	HeadStart func(context.Context) error
	// Clock of everything.
	Clock clock.PassiveClock

	attempts attempts
}

// Reconciler makes the reconciler of SmileWebhookSubscriptions.
func (c *Controller) Reconciler() *engine.Reconciler[*v1alpha1.SmileWebhookSubscription] {
	return &engine.Reconciler[*v1alpha1.SmileWebhookSubscription]{
		Client: c.Client, Events: c.Events, Clock: c.Clock,
		Kind: engine.Kind[*v1alpha1.SmileWebhookSubscription]{
			Name: "SmileWebhookSubscription",
			New:  func() *v1alpha1.SmileWebhookSubscription { return &v1alpha1.SmileWebhookSubscription{} },
			Phases: func() ([]engine.Phase[*v1alpha1.SmileWebhookSubscription], engine.Conclude[*v1alpha1.SmileWebhookSubscription]) {
				v := &visit{Controller: c}
				return []engine.Phase[*v1alpha1.SmileWebhookSubscription]{
					{Condition: v1alpha1.ConditionConnectionReady, Done: "the connection can be used", Run: v.connect},
					{Condition: v1alpha1.ConditionRegistered, Done: "Smile sends the events", Run: engine.Step(v.register)},
					{Condition: v1alpha1.ConditionSecretUsePermitted, Run: v.checkSecretUse},
				}, nil
			},
			Guard: func(ctx context.Context, p *pass) error {
				v := &visit{Controller: c}
				v.conn, v.connErr = c.Connections.For(ctx, p.Object.Namespace, p.Object.Spec.ConnectionRef)
				return v.withdraw(ctx, p)
			},
			Undo: &engine.Undo[*v1alpha1.SmileWebhookSubscription]{
				Finalizer: v1alpha1.FinalizerWebhook,
				Live:      c.Secrets,
				Needed: func(sub *v1alpha1.SmileWebhookSubscription) bool {
					return sub.Spec.DeletionPolicy != v1alpha1.WebhookRetain
				},
				Run: func(ctx context.Context, p *pass) error {
					return (&visit{Controller: c}).unregister(ctx, p)
				},
				GiveUp: giveUp,
			},
		},
	}
}

// SetupWithManager registers the controller.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	reconciler := c.Reconciler()
	return ctrl.NewControllerManagedBy(mgr).
		Named("smilewebhooksubscription").
		For(&v1alpha1.SmileWebhookSubscription{}, builder.WithPredicates(predicate.Or(engine.Relevant(), reconciler.Altered()))).
		Watches(&v1alpha1.SmileConnection{}, handler.EnqueueRequestsFromMapFunc(c.ofConnection),
			builder.WithPredicates(engine.BecameUsable())).
		WatchesRawSource(engine.Woken(c.Checks)).
		WithOptions(reconciler.Options(concurrency, engine.LongestBackoff, c.tenant)).
		Complete(reconciler)
}

func (c *Controller) tenant(ctx context.Context, name types.NamespacedName) engine.Tenant {
	var sub v1alpha1.SmileWebhookSubscription
	if c.Client.Get(ctx, name, &sub) != nil {
		return engine.Tenant{}
	}
	return c.Connections.Tenant(ctx, sub.Namespace, sub.Spec.ConnectionRef)
}

func (c *Controller) ofConnection(ctx context.Context, conn client.Object) []reconcile.Request {
	return engine.RequestsFor(ctx, c.Client, &v1alpha1.SmileWebhookSubscriptionList{},
		client.InNamespace(conn.GetNamespace()), client.MatchingFields{index.Connection: conn.GetName()})
}
