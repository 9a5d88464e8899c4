package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/controllers/accountsync"
	connectioncontroller "github.com/smile-operator/smile-operator/controllers/connection"
	"github.com/smile-operator/smile-operator/controllers/user"
	"github.com/smile-operator/smile-operator/controllers/webhook"
	"github.com/smile-operator/smile-operator/controllers/winkwidget"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/broker"
	"github.com/smile-operator/smile-operator/internal/broker/wink"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/creation"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/objectmetrics"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/outputcheck"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
	"github.com/smile-operator/smile-operator/internal/version"
)

// creationsSuffix is appended to the name of the leader Lease to name the Lease of the creation log.
const creationsSuffix = "-creations"

// Environment is what the controllers need from the process that runs them: the operator, or a test.
type Environment struct {
	// Objects writes the objects of the operator's kinds, and reads them from the cache. The cache has all indexes.
	Objects client.Client
	// Live reads and writes all other objects, past the cache.
	Live client.Client
	// Identity is the key of the installation.
	Identity identity.Key
	// Events records events about objects.
	Events events.EventRecorder
	// AuditLog receives one line for each operation on a person's data.
	AuditLog io.Writer
	// Fence fails once this process may no longer be the leader.
	Fence transport.Fence
	// Term returns the term of this process as the leader; nil without leader election.
	Term func() (term creation.Term, led bool)
	// HeadStart waits until the receivers of all replicas know a pair that was just stored; nil if there are none.
	HeadStart func(context.Context) error
	// LedgerInterval is the time between two writes of the erasure ledger; 0 writes at once.
	LedgerInterval time.Duration
	// Clock of the controllers.
	Clock clock.PassiveClock
}

// Controllers are the controllers of all kinds, and what they share.
type Controllers struct {
	Connections   *connectioncontroller.Reconciler
	Users         *user.Reconciler
	AccountSyncs  *accountsync.Reconciler
	Subscriptions *webhook.Reconciler
	Widgets       *winkwidget.Reconciler

	// Registry holds the connections to Smile.
	Registry *connection.Registry
	// Mirrors of the remote side.
	Mirrors *mirror.Set
	// Checker finds outputs that were changed or deleted.
	Checker *outputcheck.Checker
	// Ledger is the erasure ledger.
	Ledger *output.Ledger
	// CreationLog names the users that are being created.
	CreationLog *creation.Log
	// Creation creates users.
	Creation *creation.Protocol
	// People mints link tokens for callers of the application API.
	People *broker.People
	// Links makes and opens links to the hosted page.
	Links *broker.Links
	// Audit is the audit log.
	Audit *auditlog.Log

	options Options
	env     Environment
	// collectors of metrics, to be registered once per process.
	collectors []prometheus.Collector
}

// NewControllers wires the controllers, in production and in tests. What they share lives until ctx ends.
func NewControllers(ctx context.Context, options Options, env Environment) (*Controllers, error) {
	c := &Controllers{options: options, env: env}
	if err := c.connect(); err != nil {
		return nil, err
	}
	c.Mirrors = mirror.NewSet(ctx, mirror.Config{Clock: env.Clock, Connections: c.Registry, Objects: env.Objects})
	c.Checker = outputcheck.New(outputcheck.Config{Objects: env.Objects, Outputs: env.Live, Interval: options.OutputCheckInterval})
	c.Ledger = output.NewLedger(ctx, output.LedgerConfig{
		Live: env.Live, Namespace: options.namespace(), Key: env.Identity, Today: c.Registry.Today,
		Days: options.ErasureLedgerDays, Interval: env.LedgerInterval,
	})
	c.CreationLog = creation.NewLog(creation.LogConfig{
		Leases: env.Live, Name: types.NamespacedName{Namespace: options.namespace(), Name: options.LeaseName + creationsSuffix},
		Term: env.Term, Used: usedBefore(env.Objects, options.WatchNamespaces), Clock: env.Clock,
	})
	c.Creation = creation.New(creation.Config{Mirrors: c.Mirrors, Log: c.CreationLog, Clock: env.Clock})
	c.collectors = append(c.collectors, c.Registry, c.Mirrors, c.Ledger,
		&objectmetrics.Collector{Objects: env.Objects, Scheme: env.Objects.Scheme(), Clock: env.Clock},
		output.NewIdentityCheck(env.Live, options.namespace(), env.Identity, env.Clock))
	return c, c.build()
}

// connect makes the registry of connections, with one call budget for each API host.
func (c *Controllers) connect() error {
	hosts, err := transport.NewHostPolicy(c.options.SandboxEndpoint, c.options.AllowedAPIHosts, c.options.VendorExemptions...)
	if err != nil {
		return err
	}
	roots, err := c.options.roots(c.env.Clock)
	if err != nil {
		return err
	}
	calls, budgets := transport.NewMetrics(), c.budgets()
	c.collectors = append(c.collectors, calls, budgets)
	c.Registry = connection.NewRegistry(connection.Config{
		Connections: c.env.Objects, Secrets: c.env.Live, Hosts: hosts,
		Budgets: budgets, RequestsPerSecond: c.options.APIRequestsPerSecond,
		Roots: roots, Metrics: calls, Identity: c.env.Identity, Clock: c.env.Clock, UserAgent: "smile-operator/" + version.Version,
		Selector: c.options.WatchLabelSelector,
	}, c.env.Fence)
	return nil
}

// budgets are the call budgets of the API hosts. Only a process that serves the application API calls Smile while it does not
// lead.
func (c *Controllers) budgets() *transport.BudgetSet {
	if !c.options.ApplicationAPI.serves() {
		return transport.NewBudgetSet(c.options.APIRequestsPerSecond)
	}
	return transport.NewVaryingBudgetSet(func() float64 {
		if c.env.Fence() == nil {
			return c.options.APIRequestsPerSecond
		}
		return c.options.ApplicationAPI.StandbyRequestsPerSecond
	})
}

// build makes the controllers from what they share.
func (c *Controllers) build() error {
	urls, err := hook.NewPolicy(c.options.ReceiverBaseURL, c.options.AllowedWebhookHosts)
	if err != nil {
		return err
	}
	annotations, err := output.NewAnnotationPolicy(c.options.OutputAnnotations)
	if err != nil {
		return err
	}
	env := c.env
	owners := &ownership.Checker{Key: env.Identity, Secrets: env.Live, Mirrors: c.Mirrors}
	outputs := output.NewWriter(c.Checker.Client(env.Live))
	audit := auditlog.New(env.AuditLog, env.Clock, ctrl.Log.WithName("audit"))
	c.Audit = audit
	c.People = &broker.People{
		Users: env.Objects, Connections: c.Registry, Owners: owners, Fence: env.Fence,
		Standby: c.options.ApplicationAPI.StandbyRequestsPerSecond > 0,
	}
	c.Connections = &connectioncontroller.Reconciler{
		Client: env.Objects, Connections: c.Registry, Mirrors: c.Mirrors, Events: env.Events, Clock: env.Clock,
	}
	c.Users = &user.Reconciler{
		Client: env.Objects, Live: env.Live, Connections: c.Registry, Mirrors: c.Mirrors, Owners: owners,
		Outputs: outputs, Checks: c.Checker.Wakes("SmileUser"), Identity: env.Identity, Audit: audit,
		Creation: c.Creation, Events: env.Events, Clock: env.Clock,
	}
	c.AccountSyncs = &accountsync.Reconciler{
		Client:      env.Objects,
		Connections: c.Registry,
		Mirrors:     c.Mirrors,
		Owners:      owners,
		Outputs:     outputs,
		Checks:      c.Checker.Wakes("SmileAccountSync"),
		Checked:     c.options.OutputCheckInterval > 0,
		Annotations: annotations,
		Selector:    c.options.WatchLabelSelector,
		Ledger:      c.Ledger,
		Identity:    env.Identity,
		Audit:       audit,
		Events:      env.Events,
		Clock:       env.Clock,
	}
	c.Subscriptions = &webhook.Reconciler{
		Client: env.Objects, Secrets: env.Live, Connections: c.Registry, Mirrors: c.Mirrors,
		Outputs: outputs, Checks: c.Checker.Wakes("SmileWebhookSubscription"), Policy: urls, Overlap: c.options.WebhookOverlap,
		HeadStart: env.HeadStart, Identity: env.Identity, Events: env.Events, Clock: env.Clock,
	}
	c.buildWidgets(outputs)
	c.Links = &broker.Links{
		People: c.People, Codes: wink.NewCodes(env.Identity, env.Clock.Now), Sessions: wink.NewSessions(env.Clock.Now),
		BaseURL: c.options.Wink.BaseURL, Audit: audit,
	}
	return nil
}

func (c *Controllers) buildWidgets(outputs *output.Writer) {
	c.Widgets = &winkwidget.Reconciler{
		Client: c.env.Objects, Connections: c.Registry, Outputs: outputs, Checks: c.Checker.Wakes("SmileWinkWidget"),
		Events: c.env.Events, Clock: c.env.Clock,
	}
}

// addTo registers the metrics, and adds the controllers and what they share to a manager.
func (c *Controllers) addTo(mgr ctrl.Manager) error {
	for _, collector := range c.collectors {
		if err := metrics.Registry.Register(collector); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	for _, runnable := range []manager.Runnable{c.Registry, c.Mirrors, c.Checker, c.CreationLog} {
		if err := mgr.Add(runnable); err != nil {
			return err
		}
	}
	for _, controller := range []interface{ SetupWithManager(ctrl.Manager) error }{
		c.Connections, c.Users, c.AccountSyncs, c.Subscriptions, c.Widgets,
	} {
		if err := controller.SetupWithManager(mgr); err != nil {
			return err
		}
	}
	return nil
}

// RegisterIndexes adds the indexes that the controllers use to a cache.
func RegisterIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := index.Register(ctx, indexer); err != nil {
		return err
	}
	return outputcheck.RegisterIndexes(ctx, indexer)
}

// ReadIdentity reads the identity key, or generates it on the first start. It may write the key before there is a leader: of
// several processes that do, one succeeds.
func ReadIdentity(ctx context.Context, live client.Client, options Options) (identity.Key, error) {
	return output.Identity(ctx, live, output.IdentityOptions{
		Namespace: options.namespace(), Watched: options.watched(), New: options.NewIdentityKey,
	})
}

// usedBefore reports whether the operator may have created users, that is, whether a SmileConnection was ever proven. Without
// namespaces it checks all.
func usedBefore(objects client.Reader, namespaces []string) func(context.Context) (bool, error) {
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	return func(ctx context.Context) (bool, error) {
		for _, namespace := range namespaces {
			var connections v1alpha1.SmileConnectionList
			if err := objects.List(ctx, &connections, client.InNamespace(namespace)); err != nil {
				return false, err
			}
			for i := range connections.Items {
				if connections.Items[i].Status.Credentials != nil {
					return true, nil
				}
			}
		}
		return false, nil
	}
}
