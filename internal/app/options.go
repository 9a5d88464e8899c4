// Package app wires the operator: its flags, its manager and its controllers.
package app

import (
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/smile-operator/smile-operator/controllers/webhook"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/outputcheck"
	"github.com/smile-operator/smile-operator/internal/tlsfile"
)

const (
	defaultRequestsPerSecond = 15
	shutdownTimeout          = 20 * time.Second
)

// Options are the operator's flags.
type Options struct {
	SandboxEndpoint        string
	AllowedAPIHosts        []string
	VendorExemptions       []string
	APICAFile              string
	APIRequestsPerSecond   float64
	AllowedWebhookHosts    []string
	ReceiverBindAddress    string
	ReceiverBaseURL        string
	ReceiverTLSCertFile    string
	ReceiverTLSKeyFile     string
	WebhookOverlap         time.Duration
	OutputCheckInterval    time.Duration
	OutputAnnotations      []string
	OperatorNamespace      string
	WatchNamespaces        []string
	WatchLabelSelector     string
	NewIdentityKey         bool
	MetricsBindAddress     string
	HealthProbeBindAddress string
	LeaderElect            bool
	LeaseName              string
	AuditLog               string
	ErasureLedgerDays      int
	ApplicationAPI         ApplicationAPIOptions
	Wink                   WinkOptions
	Log                    zap.Options
}

// Bind adds the flags to a set.
func (o *Options) Bind(flags *pflag.FlagSet) {
	flags.StringVar(&o.SandboxEndpoint, "sandbox-endpoint", "",
		"base URL of connections of mode Sandbox without an endpoint, such as http://127.0.0.1:8484/v1; the vendor's sandbox when empty")
	flags.StringSliceVar(&o.AllowedAPIHosts, "allowed-api-hosts", nil,
		"hosts that connections may use in addition to the vendor's; an entry of the form https://host:port may resolve to a private address, and http://host:port may also be plain HTTP")
	flags.StringSliceVar(&o.VendorExemptions, "vendor-address-exemptions", nil,
		"CIDRs to which the vendor's hosts may resolve in addition to public addresses, if the credentials Secret permits it: for meshes and private gateways")
	flags.StringVar(&o.APICAFile, "api-ca-file", "", "PEM file of certificate authorities to trust for the Smile API, in addition to the system's; it is read again when it changes")
	flags.Float64Var(&o.APIRequestsPerSecond, "api-requests-per-second", defaultRequestsPerSecond,
		"call budget of each API host for the whole process; Smile allows 20 per source address; 0 means unlimited")
	o.bindReceiver(flags)
	o.ApplicationAPI.bind(flags)
	o.Wink.bind(flags)
	flags.DurationVar(&o.OutputCheckInterval, "output-check-interval", outputcheck.DefaultInterval,
		"time within which an output (a Secret or ConfigMap that the operator wrote) that was deleted or edited is repaired or reported; 0 turns the checks off")
	flags.StringSliceVar(&o.OutputAnnotations, "allowed-output-annotations", nil,
		"annotations that spec.output.template may set on outputs, in addition to reloader.stakater.com/*: keys, or example.com/* for all keys of a domain; "+
			"do not allow annotations that make other tools copy a Secret into other namespaces")
	flags.StringVar(&o.OperatorNamespace, "operator-namespace", "",
		"namespace of the operator's own objects (default: POD_NAMESPACE, else that of the kubeconfig's context, else default)")
	flags.StringSliceVar(&o.WatchNamespaces, "watch-namespaces", nil, "namespaces to watch; all when empty")
	flags.StringVar(&o.WatchLabelSelector, "watch-label-selector", "", "label selector of the objects to watch; all when empty")
	flags.BoolVar(&o.NewIdentityKey, "new-identity-key", false,
		"generate an identity key if the Secret of an earlier one is lost; re-created objects then create a second user at Smile")
	flags.StringVar(&o.MetricsBindAddress, "metrics-bind-address", "127.0.0.1:8080",
		"address of the metrics; on any address but loopback they are served over HTTPS, to callers whose RBAC permits get on /metrics; 0 turns them off")
	flags.StringVar(&o.HealthProbeBindAddress, "health-probe-bind-address", ":8081",
		"address of /healthz and /readyz; 0 turns them off")
	flags.BoolVar(&o.LeaderElect, "leader-elect", false, "elect a leader among several replicas")
	flags.StringVar(&o.LeaseName, "lease-name", defaultLeaseName,
		"name of the leader Lease, in the operator's namespace; Lease <name>-creations holds the creation log; operators with different selectors or namespaces need different names")
	flags.StringVar(&o.AuditLog, "audit-log", auditlog.Stdout,
		"where each operation on a person's data is recorded as a line of JSON: the path of a file to append to, or "+auditlog.Stdout)
	flags.IntVar(&o.ErasureLedgerDays, "erasure-ledger-days", output.LedgerDays,
		"how many days the operator remembers erasures, as keyed digests of account ids, so that a restored backup does not bring the data back")
	logging := flag.NewFlagSet("", flag.ContinueOnError)
	o.Log.BindFlags(logging)
	flags.AddGoFlagSet(logging)
}

func (o *Options) bindReceiver(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.AllowedWebhookHosts, "allowed-webhook-hosts", nil,
		"hosts, as host or host:port, that SmileWebhookSubscriptions may send events to; such a host sees the events of all users under that API key")
	flags.StringVar(&o.ReceiverBindAddress, "receiver-bind-address", "",
		"address at which webhooks are received; empty or 0 turns it off")
	flags.StringVar(&o.ReceiverBaseURL, "receiver-base-url", "",
		"URL at which Smile reaches --receiver-bind-address, such as https://hooks.example.com; without it subscriptions need spec.url")
	flags.StringVar(&o.ReceiverTLSCertFile, "receiver-tls-cert-file", "", "PEM file of the receiver's certificate, read again when it changes; plain HTTP when empty")
	flags.StringVar(&o.ReceiverTLSKeyFile, "receiver-tls-key-file", "", "PEM file of the receiver's private key")
	flags.DurationVar(&o.WebhookOverlap, "webhook-overlap", webhook.DefaultOverlap,
		"how long a webhook that was replaced stays at Smile, and how long after that its events are still accepted")
}

func (o *Options) validate() error {
	if err := o.validateReceiver(); err != nil {
		return err
	}
	if o.ErasureLedgerDays < 1 {
		return errors.New("--erasure-ledger-days must be at least 1")
	}
	if o.OutputCheckInterval < 0 || o.OutputCheckInterval > 0 && o.OutputCheckInterval < time.Second {
		return errors.New("--output-check-interval must be at least 1s, or 0 to turn the checks off")
	}
	if o.APIRequestsPerSecond < 0 {
		return errors.New("--api-requests-per-second must not be negative")
	}
	if _, err := labels.Parse(o.WatchLabelSelector); err != nil {
		return fmt.Errorf("--watch-label-selector: %w", err)
	}
	_, err := output.NewAnnotationPolicy(o.OutputAnnotations)
	return errors.Join(err, o.validateLease(), o.ApplicationAPI.validate(), o.Wink.validate(&o.ApplicationAPI))
}

func (o *Options) validateLease() error {
	if faults := validation.IsDNS1123Subdomain(o.LeaseName + creationsSuffix); len(faults) > 0 {
		return fmt.Errorf("--lease-name: %s", faults[0])
	}
	return nil
}

func (o *Options) validateReceiver() error {
	if (o.ReceiverTLSCertFile == "") != (o.ReceiverTLSKeyFile == "") {
		return errors.New("--receiver-tls-cert-file and --receiver-tls-key-file must be set together")
	}
	if o.ReceiverBaseURL != "" && !o.receives() {
		return errors.New("--receiver-base-url is set and --receiver-bind-address is not, so nothing would receive the events that Smile sends there: " +
			"set --receiver-bind-address, as in :8082, or omit --receiver-base-url")
	}
	if o.WebhookOverlap < time.Second {
		return errors.New("--webhook-overlap must be at least 1s")
	}
	return nil
}

// receives reports whether this process receives webhooks.
func (o *Options) receives() bool { return listens(o.ReceiverBindAddress) }

// listens reports whether the value of a flag for an address turns a server on.
func listens(address string) bool { return address != "" && address != "0" }

// warn logs warnings about flags that only the offline sandbox accepts, or that should not stay set.
func (o *Options) warn(log logr.Logger) {
	if scheme, _, _ := strings.Cut(o.ReceiverBaseURL, ":"); strings.EqualFold(scheme, "http") {
		log.Info("WARNING: --receiver-base-url starts with http://, which Smile refuses: only the offline sandbox accepts it, with --allow-http-webhooks")
	}
	if o.NewIdentityKey {
		log.Info("WARNING: --new-identity-key is set: whenever the identity Secret is missing, a new key replaces it; " +
			"remove the flag once the operator has started")
	}
}

func (o *Options) namespace() string {
	if o.OperatorNamespace != "" {
		return o.OperatorNamespace
	}
	if pod := os.Getenv("POD_NAMESPACE"); pod != "" {
		return pod
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	namespace, _, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).Namespace()
	if err != nil || namespace == "" {
		return "default"
	}
	return namespace
}

func (o *Options) cache() cache.Options {
	watched := o.watched()
	options := cache.Options{DefaultLabelSelector: watched.Selector, DefaultTransform: new(sharedTexts).trim}
	if len(watched.Namespaces) > 0 {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range watched.Namespaces {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return options
}

func (o *Options) watched() output.Watched {
	watched := output.Watched{Namespaces: o.WatchNamespaces}
	if o.WatchLabelSelector != "" {
		watched.Selector, _ = labels.Parse(o.WatchLabelSelector)
	}
	return watched
}

// roots returns a function that returns the certificate authorities to trust for the Smile API; nil means the system pool.
func (o *Options) roots(clock clock.PassiveClock) (func() *x509.CertPool, error) {
	if o.APICAFile == "" {
		return nil, nil
	}
	authorities, err := tlsfile.OpenAuthorities(o.APICAFile, clock, ctrl.Log.WithName("api-ca-file"))
	if err != nil {
		return nil, fmt.Errorf("--api-ca-file: %w", err)
	}
	return authorities.Pool, nil
}

// onLoopback reports whether only this machine can reach an address.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
