// Package winkwidget reconciles SmileWinkWidgets. It finds out where the widget of a connection is, and writes the files that an
// application's own site needs. It makes no call to Smile.
package winkwidget

import (
	"context"

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
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/linktoken"
	"github.com/smile-operator/smile-operator/internal/output"
)

// +kubebuilder:rbac:groups=smile-operator.io,resources=smilewinkwidgets,verbs=list;watch
// +kubebuilder:rbac:groups=smile-operator.io,resources=smilewinkwidgets/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;create;update;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const concurrency = 4

// Reconciler reconciles SmileWinkWidgets. It lives as long as the process; a scope lives for one reconcile.
type Reconciler struct {
	// Client writes; it reads SmileWinkWidgets from the cache.
	Client client.Client
	// Connections to Smile.
	Connections *connection.Registry
	// Outputs writes the ConfigMaps.
	Outputs *output.Writer
	// Checks are the objects whose output may have been deleted or changed.
	Checks engine.Wakes
	// Events of the objects.
	Events events.EventRecorder
	// Clock of everything.
	Clock clock.PassiveClock
}

// Engine returns the life of SmileWinkWidgets, with the phases of this kind.
func (r *Reconciler) Engine() *engine.Reconciler[*v1alpha1.SmileWinkWidget] {
	return &engine.Reconciler[*v1alpha1.SmileWinkWidget]{
		Client: r.Client, Events: r.Events, Clock: r.Clock,
		Kind: engine.Kind[*v1alpha1.SmileWinkWidget]{
			Name:   "SmileWinkWidget",
			New:    func() *v1alpha1.SmileWinkWidget { return &v1alpha1.SmileWinkWidget{} },
			Phases: r.phases,
		},
	}
}

func (r *Reconciler) phases() ([]engine.Phase[*v1alpha1.SmileWinkWidget], engine.Conclude[*v1alpha1.SmileWinkWidget]) {
	s := &scope{r: r}
	return []engine.Phase[*v1alpha1.SmileWinkWidget]{
		{Condition: v1alpha1.ConditionConnectionReady, Done: "the connection can be used", Run: engine.Step(s.connect)},
		{Condition: v1alpha1.ConditionOutputReady, Done: "the ConfigMap is as declared", Run: s.write},
	}, nil
}

type run = engine.Run[*v1alpha1.SmileWinkWidget]

// scope lives for one reconcile.
type scope struct{ r *Reconciler }

// connect finds out where the widget of the connection is.
func (s *scope) connect(ctx context.Context, run *run) error {
	widget := run.Object
	conn, err := s.r.Connections.For(ctx, widget.Namespace, widget.Spec.ConnectionRef)
	if err != nil {
		return err
	}
	frontend := linktoken.FrontendOf(conn.Endpoint, conn.Mode, widget.Spec.SDKVersion)
	widget.Status.Mode, widget.Status.APIHost, widget.Status.ScriptURL = conn.Mode, frontend.APIHost, frontend.ScriptURL
	return nil
}

// write writes the ConfigMap, if the spec asks for one, and deletes the one of a former name.
func (s *scope) write(ctx context.Context, run *run) (engine.Outcome, error) {
	widget, outcome := run.Object, engine.Absent
	former := widget.Status.ConfigMapName
	if widget.Spec.Output != nil {
		outcome = engine.Succeeded
		if err := s.writeTo(ctx, run, widget.Spec.Output.ConfigMap.Name); err != nil {
			return outcome, err
		}
	} else {
		widget.Status.ConfigMapName = ""
	}
	if former != "" && former != widget.Status.ConfigMapName {
		return outcome, s.r.Outputs.Delete(ctx, widget, targetOf(former))
	}
	return outcome, nil
}

func (s *scope) writeTo(ctx context.Context, run *run, name string) error {
	stored, err := s.r.Outputs.Open(ctx, run.Object, targetOf(name))
	if err != nil {
		return err
	}
	content, err := contentOf(run.Object)
	if err != nil {
		return err
	}
	if stored.LeftBehind() {
		if !stored.HoldsOnly(keysOf(content)...) {
			return stored.Conflict()
		}
		stored.TakeBack()
	}
	if _, err := s.r.Outputs.Write(ctx, run.Object, stored, content, nil); err != nil {
		return err
	}
	run.Object.Status.ConfigMapName = name
	return nil
}

func targetOf(name string) output.Target { return output.Target{Kind: output.ConfigMap, Name: name} }

// SetupWithManager adds the controller to a manager.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	reconciler := r.Engine()
	return ctrl.NewControllerManagedBy(mgr).
		Named("smilewinkwidget").
		For(&v1alpha1.SmileWinkWidget{}, builder.WithPredicates(predicate.Or(engine.Relevant(), reconciler.Altered()))).
		Watches(&v1alpha1.SmileConnection{}, handler.EnqueueRequestsFromMapFunc(r.ofConnection),
			builder.WithPredicates(engine.BecameUsable())).
		WatchesRawSource(engine.Woken(r.Checks)).
		WithOptions(reconciler.Options(concurrency, engine.LongestBackoff, r.tenant)).
		Complete(reconciler)
}

func (r *Reconciler) tenant(ctx context.Context, name types.NamespacedName) engine.Tenant {
	var widget v1alpha1.SmileWinkWidget
	if r.Client.Get(ctx, name, &widget) != nil {
		return engine.Tenant{}
	}
	return r.Connections.Tenant(ctx, widget.Namespace, widget.Spec.ConnectionRef)
}

// ofConnection returns the widgets to reconcile when their connection becomes usable.
func (r *Reconciler) ofConnection(ctx context.Context, conn client.Object) []reconcile.Request {
	return engine.RequestsFor(ctx, r.Client, &v1alpha1.SmileWinkWidgetList{},
		client.InNamespace(conn.GetNamespace()), client.MatchingFields{index.Connection: conn.GetName()})
}
