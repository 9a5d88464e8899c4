package testenv

import (
	"context"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/app"
	"github.com/smile-operator/smile-operator/internal/creation"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

// Operator is one process of the operator: all controllers, and what they remember. A second one in the same world is
// the process after a restart, or another replica.
type Operator struct {
	*Records
	// Cache reads as the operator does from its cache.
	Cache client.Reader
	// Fence is checked before each call that changes something at Smile.
	Fence transport.Fence
	// Caller makes the calls; nil is one that always waits for its turn.
	Caller *smile.Caller
	// Ledger is the erasure ledger of the process.
	Ledger *output.Ledger
	// Creations is the creation log of the process.
	Creations *creation.Log

	world       *World
	key         identity.Key
	controllers *app.Controllers
	changes     <-chan event.TypedGenericEvent[mirror.Change]
	reconcilers reconcilers
}

// reconcilers of the kinds.
type reconcilers struct {
	connections   *engine.Reconciler[*v1alpha1.SmileConnection]
	users         *engine.Reconciler[*v1alpha1.SmileUser]
	syncs         *engine.Reconciler[*v1alpha1.SmileAccountSync]
	subscriptions *engine.Reconciler[*v1alpha1.SmileWebhookSubscription]
	widgets       *engine.Reconciler[*v1alpha1.SmileWinkWidget]
}

// Leading is the fence of a process that is the leader.
func Leading() error { return nil }

// Wrap puts something between an operator and the API server.
type Wrap func(client.WithWatch) client.WithWatch

// Operator starts a process.
func (w *World) Operator(between ...Wrap) *Operator {
	w.Helper()
	ctx, end := context.WithCancel(w.Context())
	w.Cleanup(end)
	kube, err := cacheless(ctx, fenced(w.Client, w.Errorf))
	w.must(err)
	for _, wrap := range between {
		kube = wrap(kube)
	}
	options := w.options()
	key, err := app.ReadIdentity(ctx, kube, options)
	w.must(err)
	o := &Operator{Cache: kube, Records: &Records{}, Fence: Leading, world: w, key: key}
	o.controllers, err = app.NewControllers(ctx, options, app.Environment{
		Objects: kube, Live: kube, Identity: key, Events: o.Records, AuditLog: o.Records,
		Fence: func() error { return o.Fence() }, Clock: w.Clock,
	})
	w.must(err)
	o.Ledger, o.Creations = o.controllers.Ledger, o.controllers.CreationLog
	_ = o.Creations.TakeOver(ctx) // at the start, as the manager has it; tried again before a creation
	o.changes = o.controllers.Mirrors.Changes()
	o.reconcilers = reconcilers{
		connections: o.controllers.Connections.Engine(), users: o.controllers.Users.Engine(),
		syncs: o.controllers.AccountSyncs.Engine(), subscriptions: o.controllers.Subscriptions.Engine(),
		widgets: o.controllers.Widgets.Engine(),
	}
	return o
}

// options are the operator's flags: the defaults, and those of the world.
func (w *World) options() app.Options {
	var options app.Options
	options.Bind(pflag.NewFlagSet("", pflag.ContinueOnError))
	options.SandboxEndpoint, options.AllowedAPIHosts = w.Smile.URL+"/v1", w.config.AllowedAPIHosts
	options.APIRequestsPerSecond = w.config.RequestsPerSecond
	options.AllowedWebhookHosts, options.ReceiverBaseURL = w.config.AllowedWebhookHosts, w.config.ReceiverBaseURL
	options.OutputAnnotations = w.config.AllowedOutputAnnotations
	if !w.config.OutputChecks {
		options.OutputCheckInterval = 0
	}
	options.OperatorNamespace, options.WatchNamespaces = w.Namespace, w.namespaces
	options.LeaseName = leaseName
	return options
}

// leaseName is the operator's flag.
const leaseName = "test"

// CreationLog is the name of the Lease of the creation log.
func (w *World) CreationLog() types.NamespacedName {
	return types.NamespacedName{Namespace: w.Namespace, Name: leaseName + "-creations"}
}

// Reconcile reconciles an object once and reads it again. Whatever the outcome is, it must comply with the contract.
func (o *Operator) Reconcile(obj engine.Object) (ctrl.Result, error) {
	o.world.Helper()
	request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(obj)}
	ctx := withNamespace(log.IntoContext(o.world.Context(), o.logger()), request.Namespace)
	if o.Caller != nil {
		o.Caller.Begin()
		ctx = smile.WithCaller(ctx, o.Caller)
	}
	var result ctrl.Result
	var err error
	switch obj.(type) {
	case *v1alpha1.SmileConnection:
		result, err = o.reconcilers.connections.Reconcile(ctx, request)
	case *v1alpha1.SmileUser:
		result, err = o.reconcilers.users.Reconcile(ctx, request)
	case *v1alpha1.SmileAccountSync:
		result, err = o.reconcilers.syncs.Reconcile(ctx, request)
	case *v1alpha1.SmileWebhookSubscription:
		result, err = o.reconcilers.subscriptions.Reconcile(ctx, request)
	case *v1alpha1.SmileWinkWidget:
		result, err = o.reconcilers.widgets.Reconcile(ctx, request)
	default:
		o.world.Fatalf("no controller reconciles a %T", obj)
	}
	o.world.checkContract(o, obj, result, err)
	return result, err
}

// Run reconciles each object once, which must succeed, and returns the delay until the last one must be reconciled again; 0 if
// never.
func (o *Operator) Run(objects ...engine.Object) time.Duration {
	o.world.Helper()
	var next time.Duration
	for _, obj := range objects {
		result, err := o.Reconcile(obj)
		o.world.must(err)
		next = result.RequeueAfter
	}
	return next
}

// Fail reconciles an object a number of times. Each reconcile must fail.
func (o *Operator) Fail(obj engine.Object, times int) {
	o.world.Helper()
	for range times {
		if _, err := o.Reconcile(obj); err == nil {
			o.world.Fatal("the reconcile did not fail")
		}
	}
}

// Quiet reconciles an object once more, which must write nothing to it.
func (o *Operator) Quiet(obj engine.Object) {
	o.world.Helper()
	o.world.Get(obj)
	before, events := obj.GetResourceVersion(), len(o.Events(obj))
	_, _ = o.Reconcile(obj)
	if after := obj.GetResourceVersion(); after != before {
		o.world.Errorf("a reconcile that changed nothing wrote the %T: resourceVersion %s became %s", obj, before, after)
	}
	if now := len(o.Events(obj)); now != events {
		o.world.Errorf("a reconcile that changed nothing recorded %v", o.Events(obj)[events:])
	}
}
