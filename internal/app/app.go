package app

import (
	"context"
	"fmt"
	"log"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	accountsynccontroller "github.com/smile-operator/smile-operator/controllers/accountsync"
	connectioncontroller "github.com/smile-operator/smile-operator/controllers/connection"
	usercontroller "github.com/smile-operator/smile-operator/controllers/user"
	webhookcontroller "github.com/smile-operator/smile-operator/controllers/webhook"
	"github.com/smile-operator/smile-operator/internal/broker"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/creation"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/outputcheck"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=smile-operator-system,resources=leases,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=smile-operator-system,resources=leases,resourceNames=smile-operator.smile-operator.io;smile-operator.smile-operator.io-creations,verbs=get;update
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// kubeQPS is no limit: the API server has its own fairness.
const kubeQPS = -1

// Command is the operator's command line.
func Command() *cobra.Command {
	var options Options
	cmd := &cobra.Command{
		Use:           "smile-operator",
		Short:         "Kubernetes operator for the Smile API",
		Version:       Version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return Run(cmd.Context(), options)
		},
	}
	options.Bind(cmd.Flags())
	return cmd
}

// Scheme knows the kinds that the operator works with.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return scheme, v1alpha1.AddToScheme(scheme)
}

// Run runs the operator until ctx ends.
func Run(ctx context.Context, options Options) error {
	logging := withoutBodies(options.Log)
	logger := zap.New(zap.UseFlagOptions(&logging))
	ctrl.SetLogger(logger)
	log.SetOutput(withheld{logger})
	if err := options.validate(); err != nil {
		return err
	}
	options.warn(logger)
	defer tuneCollector()()
	kube, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	kube.QPS = kubeQPS
	mgr, err := NewManager(ctx, kube, options)
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// withheld takes what libraries write to the standard logger, which is where net/http reports what it did not expect
// of a server, in the server's own words: those may be personal, so only the fact is logged.
type withheld struct{ logr.Logger }

func (w withheld) Write(text []byte) (int, error) {
	w.Info("a library wrote to the standard logger; its text is withheld, for it may quote remote data")
	return len(text), nil
}

// NewManager makes a manager with all controllers of the operator.
func NewManager(ctx context.Context, kube *rest.Config, options Options) (ctrl.Manager, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	board, err := newLeaderBoard(options)
	if err != nil {
		return nil, err
	}
	lock, err := newFencedLock(kube, options.namespace(), options.LeaseName, board.Wrap, clock.RealClock{})
	if err != nil {
		return nil, err
	}
	fence := alwaysLeading
	if options.LeaderElect {
		fence = lock.check
	}
	mgr, err := ctrl.NewManager(kube, managerOptions(scheme, options, lock, fence))
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	if err := addControllers(ctx, mgr, options, lock, board, fence); err != nil {
		return nil, err
	}
	return mgr, addReceiver(mgr, options)
}

// alwaysLeading is the fence of a process without leader election: nobody else may run.
func alwaysLeading() error { return nil }

func managerOptions(scheme *runtime.Scheme, options Options, lock *fencedLock, fence func() error) ctrl.Options {
	serving := server.Options{BindAddress: options.MetricsBindAddress}
	if options.MetricsBindAddress != "0" && !onLoopback(options.MetricsBindAddress) {
		serving.SecureServing, serving.FilterProvider = true, filters.WithAuthenticationAndAuthorization
	}
	return ctrl.Options{
		Scheme: scheme,
		Cache:  options.cache(),
		Client: client.Options{Cache: &client.CacheOptions{
			DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}},
		}},
		NewClient: func(access *rest.Config, options client.Options) (client.Client, error) {
			options.HTTPClient = nil // that of an access without a fence
			return client.New(fenced(access, fence), options)
		},
		Metrics:                             serving,
		HealthProbeBindAddress:              options.HealthProbeBindAddress,
		LeaderElection:                      options.LeaderElect,
		LeaderElectionResourceLockInterface: lock,
		LeaseDuration:                       ptr.To(leaseDuration),
		RenewDeadline:                       ptr.To(renewDeadline),
		RetryPeriod:                         ptr.To(retryPeriod),
		LeaderElectionReleaseOnCancel:       true,
		GracefulShutdownTimeout:             ptr.To(shutdownTimeout),
		Controller:                          config.Controller{EnableWarmup: ptr.To(true)},
	}
}

func addControllers(
	ctx context.Context, mgr ctrl.Manager, options Options, lock *fencedLock, board leaderBoard, fence func() error,
) error {
	key, err := readIdentity(ctx, mgr, options)
	if err != nil {
		return err
	}
	live, err := liveClient(fenced(mgr.GetConfig(), fence), mgr)
	if err != nil {
		return err
	}
	connections, err := newRegistry(mgr, live, options, key, fence)
	if err != nil {
		return err
	}
	if err := index.Register(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	policy, err := hook.NewPolicy(options.ReceiverBaseURL, options.AllowedWebhookHosts)
	if err != nil {
		return err
	}
	wall := clock.RealClock{}
	events := engine.NewGroupedRecorder(mgr.GetEventRecorder("smile-operator"))
	mirrors, err := newMirrors(ctx, mgr, connections)
	if err != nil {
		return err
	}
	owners := &ownership.Checker{Key: key, Secrets: live, Mirrors: mirrors}
	checks, err := addChecker(ctx, mgr, live, options)
	if err != nil {
		return err
	}
	outputs := output.NewWriter(checks.Client(live))
	accounting, err := newAccounting(ctx, live, connections, options, key)
	if err != nil {
		return err
	}
	people, err := addCreation(mgr, live, options, lock, creation.Config{Mirrors: mirrors, Clock: wall})
	if err != nil {
		return err
	}
	broking := &broker.People{Users: mgr.GetClient(), Connections: connections, Owners: owners, Fence: fence}
	if err := addApplicationAPI(mgr, options, board, broking, accounting.audit); err != nil {
		return err
	}
	users := &usercontroller.Controller{
		Client: mgr.GetClient(), Live: live, Connections: connections, Mirrors: mirrors, Owners: owners,
		Outputs: outputs, Checks: checks.Wakes("SmileUser"), Identity: key, Audit: accounting.audit,
		Events: events, Creation: people, Clock: wall,
	}
	return setUp(mgr,
		&connectioncontroller.Controller{
			Client: mgr.GetClient(), Connections: connections, Mirrors: mirrors, Events: events, Clock: wall,
		},
		users,
		&accountsynccontroller.Controller{
			Client: mgr.GetClient(), Connections: connections, Mirrors: mirrors, Owners: owners,
			Outputs: outputs, Checks: checks.Wakes("SmileAccountSync"), Checked: options.OutputCheckInterval > 0, Annotations: options.annotations(),
			Ledger: accounting.ledger, Identity: key, Audit: accounting.audit, Events: events, Clock: wall,
		},
		&webhookcontroller.Controller{
			Client: mgr.GetClient(), Secrets: live, Connections: connections, Mirrors: mirrors, Outputs: outputs,
			Policy: policy, Overlap: options.WebhookOverlap, Identity: key, Events: events,
			Checks: checks.Wakes("SmileWebhookSubscription"), HeadStart: headStart, Clock: wall,
		},
	)
}

func setUp(mgr ctrl.Manager, controllers ...interface{ SetupWithManager(ctrl.Manager) error }) error {
	for _, controller := range controllers {
		if err := controller.SetupWithManager(mgr); err != nil {
			return err
		}
	}
	return nil
}

func newMirrors(ctx context.Context, mgr ctrl.Manager, connections *connection.Registry) (*mirror.Set, error) {
	mirrors := mirror.NewSet(ctx, mirror.Config{Clock: clock.RealClock{}, Connections: connections, Objects: mgr.GetClient()})
	if err := metrics.Registry.Register(mirrors); err != nil {
		return nil, fmt.Errorf("registering the metrics of the mirrors: %w", err)
	}
	return mirrors, mgr.Add(mirrors)
}

// addChecker adds what looks after the outputs.
func addChecker(ctx context.Context, mgr ctrl.Manager, live client.Client, options Options) (*outputcheck.Checker, error) {
	if err := outputcheck.RegisterIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, err
	}
	checks := outputcheck.New(outputcheck.Config{Objects: mgr.GetClient(), Outputs: live, Interval: options.OutputCheckInterval})
	return checks, mgr.Add(checks)
}

// readIdentity may write the identity key before there is a leader: of several processes that do, one succeeds.
func readIdentity(ctx context.Context, mgr ctrl.Manager, options Options) (identity.Key, error) {
	live, err := liveClient(mgr.GetConfig(), mgr)
	if err != nil {
		return identity.Key{}, err
	}
	return output.Identity(ctx, live, output.IdentityOptions{
		Namespace: options.namespace(), Watched: options.watched(), New: options.NewIdentityKey,
	})
}

// liveClient makes a client that reads past the cache, as it must be for Secrets.
func liveClient(access *rest.Config, mgr ctrl.Manager) (client.Client, error) {
	live, err := client.New(access, client.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("making the client for Secrets: %w", err)
	}
	return live, nil
}

func newRegistry(mgr ctrl.Manager, live client.Client, options Options, key identity.Key, fence transport.Fence) (*connection.Registry, error) {
	hosts, err := transport.NewHostPolicy(options.SandboxEndpoint, options.AllowedAPIHosts, options.VendorExemptions...)
	if err != nil {
		return nil, err
	}
	roots, err := options.rootCAs()
	if err != nil {
		return nil, err
	}
	calls, budgets := transport.NewMetrics(), transport.NewBudgetSet(options.APIRequestsPerSecond)
	for _, collector := range []prometheus.Collector{calls, budgets} {
		if err := metrics.Registry.Register(collector); err != nil {
			return nil, fmt.Errorf("registering the metrics of the API calls: %w", err)
		}
	}
	registry := connection.NewRegistry(connection.Config{
		Connections: mgr.GetClient(), Secrets: live, Hosts: hosts,
		Budgets: budgets, RequestsPerSecond: options.APIRequestsPerSecond,
		RootCAs: roots, Metrics: calls, Identity: key, Clock: clock.RealClock{}, UserAgent: "smile-operator/" + Version,
	}, fence)
	return registry, mgr.Add(registry)
}
