// Package connection reconciles SmileConnections. It reads the key pair, proves it with one cheap call, and shows what is wrong
// if the pair does not work.
package connection

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
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
)

// +kubebuilder:rbac:groups=smile-operator.io,resources=smileconnections,verbs=list;watch
// +kubebuilder:rbac:groups=smile-operator.io,resources=smileconnections/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	concurrency = 8
	// recheck is how often the Secret of a working connection is read again: Secrets are not watched.
	recheck = 30 * time.Second
)

// Reconciler reconciles SmileConnections. It lives as long as the process; a scope lives for one reconcile.
type Reconciler struct {
	// Client writes; it reads SmileConnections from the cache.
	Client client.Client
	// Connections to Smile.
	Connections *connection.Registry
	// Mirrors of the remote side.
	Mirrors *mirror.Set
	// Events of the objects.
	Events events.EventRecorder
	// Clock of everything.
	Clock clock.PassiveClock
}

// Engine returns the life of SmileConnections, with the phases of this kind.
func (r *Reconciler) Engine() *engine.Reconciler[*v1alpha1.SmileConnection] {
	return &engine.Reconciler[*v1alpha1.SmileConnection]{
		Client: r.Client, Events: r.Events, Clock: r.Clock,
		Kind: engine.Kind[*v1alpha1.SmileConnection]{
			Name:   "SmileConnection",
			New:    func() *v1alpha1.SmileConnection { return &v1alpha1.SmileConnection{} },
			Phases: r.phases,
		},
	}
}

func (r *Reconciler) phases() ([]engine.Phase[*v1alpha1.SmileConnection], engine.Conclude[*v1alpha1.SmileConnection]) {
	s := &scope{r: r}
	return []engine.Phase[*v1alpha1.SmileConnection]{
		{Condition: v1alpha1.ConditionRevokesAllowed, Run: s.checkRevokes},
		{Condition: v1alpha1.ConditionCredentialsValid, Done: "Smile accepts the key pair", Run: engine.Step(s.prove)},
		{Condition: v1alpha1.ConditionSecretUsePermitted, Run: s.checkSecretUse},
		{Condition: v1alpha1.ConditionMirrored, Done: "the listings of Smile are up to date", Run: s.checkMirror},
		{Condition: v1alpha1.ConditionClockSynchronized, Done: "the clocks of the operator and of Smile agree", Run: s.checkClock},
	}, nil
}

func (r *Reconciler) tenant(ctx context.Context, name types.NamespacedName) engine.Tenant {
	return r.Connections.Tenant(ctx, name.Namespace, v1alpha1.ConnectionReference{Name: name.Name})
}

// SetupWithManager adds the controller to a manager.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	reconciler := r.Engine()
	return ctrl.NewControllerManagedBy(mgr).
		Named("smileconnection").
		For(&v1alpha1.SmileConnection{}, builder.WithPredicates(predicate.Or(engine.Relevant(), reconciler.Altered()))).
		WatchesRawSource(source.TypedChannel(r.Connections.Events(), handler.TypedEnqueueRequestsFromMapFunc(
			func(_ context.Context, conn *v1alpha1.SmileConnection) []reconcile.Request {
				return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(conn)}}
			}))).
		WithOptions(reconciler.Options(concurrency, recheck, r.tenant)).
		Complete(reconciler)
}
