package testenv

import (
	"context"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/controllers/accountsync"
	connectioncontroller "github.com/smile-operator/smile-operator/controllers/connection"
	"github.com/smile-operator/smile-operator/controllers/user"
	webhookcontroller "github.com/smile-operator/smile-operator/controllers/webhook"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/creation"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/outputcheck"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

// Operator is one process of the operator: all controllers, and what they remember. A second one in the same world is
// the process after a restart, or another replica.
type Operator struct {
	*Records
	// Cache answers what the operator asks of its cache.
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
	registry    *connection.Registry
	mirrors     *mirror.Set
	owners      *ownership.Checker
	checks      *outputcheck.Checker
	changes     <-chan event.TypedGenericEvent[mirror.Change]
	connections *engine.Reconciler[*v1alpha1.SmileConnection]
	users       *engine.Reconciler[*v1alpha1.SmileUser]
	syncs       *engine.Reconciler[*v1alpha1.SmileAccountSync]
	webhooks    *engine.Reconciler[*v1alpha1.SmileWebhookSubscription]
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
	key, err := output.Identity(ctx, kube, output.IdentityOptions{
		Namespace: w.Namespace, Watched: output.Watched{Namespaces: w.namespaces},
	})
	w.must(err)
	hosts, err := transport.NewHostPolicy(w.Smile.URL+"/v1", w.config.AllowedAPIHosts)
	w.must(err)
	o := &Operator{Fence: Leading}
	registry := connection.NewRegistry(connection.Config{
		Connections: kube, Secrets: kube, Hosts: hosts,
		Budgets: transport.NewBudgetSet(w.config.RequestsPerSecond), RequestsPerSecond: w.config.RequestsPerSecond,
		Metrics: transport.NewMetrics(), Identity: key, Clock: w.Clock, UserAgent: "smile-operator/test",
	}, func() error { return o.Fence() })
	o.Cache, o.Records, o.world, o.registry = kube, &Records{}, w, registry
	o.Creations = creation.NewLog(creation.LogConfig{Leases: kube, Name: w.CreationLog(), Used: w.used, Clock: w.Clock})
	_ = o.Creations.TakeOver(ctx) // at the start, as the manager has it; tried again before a creation
	var told events.EventRecorder = o.Records
	mirrors := mirror.NewSet(ctx, mirror.Config{Clock: w.Clock, Connections: registry, Objects: kube})
	owners := &ownership.Checker{Key: key, Secrets: kube, Mirrors: mirrors}
	o.checks = outputcheck.New(outputcheck.Config{Objects: kube, Outputs: kube})
	outputs := output.NewWriter(o.checks.Client(kube))
	audit := auditlog.New(o.Records, w.Clock, logr.Discard())
	o.Ledger = output.NewLedger(ctx, output.LedgerConfig{Live: kube, Namespace: w.Namespace, Key: key, Today: registry.Today, Days: output.LedgerDays})
	o.changes = mirrors.Changes()
	o.mirrors, o.owners = mirrors, owners
	o.connections = (&connectioncontroller.Controller{
		Client: kube, Connections: registry, Mirrors: mirrors, Events: told, Clock: w.Clock,
	}).Reconciler()
	o.users = (&user.Controller{
		Client: kube, Live: kube, Connections: registry, Mirrors: mirrors, Owners: owners,
		Outputs: outputs, Identity: key, Audit: audit, Events: told,
		Creation: creation.New(creation.Config{
			Mirrors: mirrors, Log: o.Creations, Clock: w.Clock,
		}),
		Clock: w.Clock,
	}).Reconciler()
	annotations, err := output.NewAnnotationPolicy(w.config.AllowedOutputAnnotations)
	w.must(err)
	o.syncs = (&accountsync.Controller{
		Annotations: annotations,
		Client:      kube, Connections: registry, Mirrors: mirrors, Owners: owners,
		Outputs: outputs, Checked: w.config.OutputChecks, Ledger: o.Ledger, Identity: key, Audit: audit,
		Events: told, Clock: w.Clock,
	}).Reconciler()
	policy, err := hook.NewPolicy(w.config.ReceiverBaseURL, w.config.AllowedWebhookHosts)
	w.must(err)
	o.webhooks = (&webhookcontroller.Controller{
		Client: kube, Secrets: kube, Connections: registry, Mirrors: mirrors, Outputs: outputs, Policy: policy,
		Overlap: webhookcontroller.DefaultOverlap, Identity: key, Events: told,
		Clock: w.Clock,
	}).Reconciler()
	return o
}

// CreationLog is the name of the Lease of the creation log.
func (w *World) CreationLog() types.NamespacedName {
	return types.NamespacedName{Namespace: w.Namespace, Name: "test-creations"}
}

// used reports whether an operator may have created users in the world.
func (w *World) used(ctx context.Context) (bool, error) {
	var connections v1alpha1.SmileConnectionList
	err := w.Client.List(ctx, &connections, client.InNamespace(w.Namespace))
	return slices.ContainsFunc(connections.Items, func(c v1alpha1.SmileConnection) bool { return c.Status.Credentials != nil }), err
}

// Reconcile does one pass over an object and reads it again. Whatever comes of the pass, it is held against the
// contract.
func (o *Operator) Reconcile(obj engine.Object) (ctrl.Result, error) {
	o.world.Helper()
	request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(obj)}
	ctx := withPass(log.IntoContext(o.world.Context(), o.logger()), request.Namespace)
	if o.Caller != nil {
		o.Caller.Begin()
		ctx = smile.WithCaller(ctx, o.Caller)
	}
	var result ctrl.Result
	var err error
	switch obj.(type) {
	case *v1alpha1.SmileConnection:
		result, err = o.connections.Reconcile(ctx, request)
	case *v1alpha1.SmileUser:
		result, err = o.users.Reconcile(ctx, request)
	case *v1alpha1.SmileAccountSync:
		result, err = o.syncs.Reconcile(ctx, request)
	case *v1alpha1.SmileWebhookSubscription:
		result, err = o.webhooks.Reconcile(ctx, request)
	default:
		o.world.Fatalf("no controller reconciles a %T", obj)
	}
	o.world.holdToContract(o, obj, result, err)
	return result, err
}

// Run does one pass over each object, in which nothing may fail, and tells when the last wants its next one; 0 when
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

// Fail does a number of passes over an object, all of which must fail.
func (o *Operator) Fail(obj engine.Object, times int) {
	o.world.Helper()
	for range times {
		if _, err := o.Reconcile(obj); err == nil {
			o.world.Fatal("the pass did not fail")
		}
	}
}

// Quiet does another pass over an object, which must write nothing to it.
func (o *Operator) Quiet(obj engine.Object) {
	o.world.Helper()
	o.world.Get(obj)
	before, told := obj.GetResourceVersion(), len(o.Events(obj))
	_, _ = o.Reconcile(obj)
	if after := obj.GetResourceVersion(); after != before {
		o.world.Errorf("a pass that changed nothing wrote the %T: resourceVersion %s became %s", obj, before, after)
	}
	if now := len(o.Events(obj)); now != told {
		o.world.Errorf("a pass that changed nothing told %v", o.Events(obj)[told:])
	}
}
