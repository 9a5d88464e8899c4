package app

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/go-logr/logr"
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
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/version"
)

// kubeQPS is no limit: the API server has its own fairness.
const kubeQPS = -1

// Command is the operator's command line.
func Command() *cobra.Command {
	var options Options
	cmd := &cobra.Command{
		Use:           "smile-operator",
		Short:         "Kubernetes operator for the Smile API",
		Version:       version.Version,
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

// withheld replaces what libraries write to the standard logger. net/http writes unexpected responses of a server there, word for
// word. They may contain personal data, so only the fact is logged.
type withheld struct{ logr.Logger }

func (w withheld) Write(text []byte) (int, error) {
	w.Info("a library wrote to the standard logger; the text is withheld because it may quote remote data")
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
	controllers, err := addControllers(ctx, mgr, options, lock, fence)
	if err != nil {
		return nil, err
	}
	return mgr, errors.Join(addReceiver(mgr, options), addApplicationAPI(mgr, options, board, controllers))
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

// addControllers wires the controllers to the manager, so that nothing is written once the fence refuses.
func addControllers(
	ctx context.Context,
	mgr ctrl.Manager,
	options Options,
	lock *fencedLock,
	fence func() error,
) (*Controllers, error) {
	unfenced, err := liveClient(mgr.GetConfig(), mgr)
	if err != nil {
		return nil, err
	}
	key, err := ReadIdentity(ctx, unfenced, options)
	if err != nil {
		return nil, err
	}
	live, err := liveClient(fenced(mgr.GetConfig(), fence), mgr)
	if err != nil {
		return nil, err
	}
	audit, err := auditlog.Open(options.AuditLog)
	if err != nil {
		return nil, fmt.Errorf("--audit-log: %w", err)
	}
	if err := RegisterIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, err
	}
	env := Environment{
		Objects: mgr.GetClient(), Live: live, Identity: key, AuditLog: audit,
		Events: engine.NewGroupedRecorder(mgr.GetEventRecorder("smile-operator")),
		Fence:  fence, HeadStart: headStart, LedgerInterval: output.LedgerInterval, Clock: clock.RealClock{},
	}
	if options.LeaderElect {
		env.Term = lock.leads
	}
	controllers, err := NewControllers(ctx, options, env)
	if err != nil {
		return nil, err
	}
	lock.lastSent = controllers.Creation.LastSent
	return controllers, controllers.addTo(mgr)
}

// liveClient makes a client that reads past the cache, as it must be for Secrets.
func liveClient(access *rest.Config, mgr ctrl.Manager) (client.Client, error) {
	live, err := client.New(access, client.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("making the client for Secrets: %w", err)
	}
	return live, nil
}
