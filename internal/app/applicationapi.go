package app

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spf13/pflag"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/smile-operator/smile-operator/internal/broker"
)

const defaultStandbyRequestsPerSecond = 2

// ApplicationAPIOptions are the flags of the application API.
type ApplicationAPIOptions struct {
	BindAddress string
	Audience    string
	TLSCertFile string
	TLSKeyFile  string
	// StandbyRequestsPerSecond is the call budget of each API host while the process does not lead; 0 is none.
	StandbyRequestsPerSecond float64
}

func (o *ApplicationAPIOptions) bind(flags *pflag.FlagSet) {
	flags.StringVar(&o.BindAddress, "application-api-bind-address", "",
		"address of the application API, at which backends get link tokens; empty or 0 turns it off")
	flags.StringVar(&o.Audience, "application-api-audience", "smile-operator",
		"audience for which the ServiceAccount tokens of the application API's callers must be issued")
	flags.StringVar(&o.TLSCertFile, "application-api-tls-cert-file", "",
		"PEM file of the application API's certificate, read again when it changes; required unless the address is a loopback address; without it the API is plain HTTP")
	flags.StringVar(&o.TLSKeyFile, "application-api-tls-key-file", "", "PEM file of the application API's private key")
	flags.Float64Var(&o.StandbyRequestsPerSecond, "standby-requests-per-second", defaultStandbyRequestsPerSecond,
		"call budget of each API host in a replica that does not lead: with it, the replica mints link tokens of known users while no leader answers; 0 turns that off. "+
			"All replicas together should stay below the limit of Smile")
}

// serves reports whether this process serves the application API.
func (o *ApplicationAPIOptions) serves() bool { return listens(o.BindAddress) }

func (o *ApplicationAPIOptions) validate() error {
	switch {
	case (o.TLSCertFile == "") != (o.TLSKeyFile == ""):
		return errors.New("--application-api-tls-cert-file and --application-api-tls-key-file must be set together")
	case o.StandbyRequestsPerSecond < 0:
		return errors.New("--standby-requests-per-second must not be negative")
	case !o.serves():
		return nil
	case o.Audience == "":
		return errors.New("--application-api-audience must not be empty")
	case o.TLSCertFile == "" && !onLoopback(o.BindAddress):
		return errors.New("--application-api-bind-address is not a loopback address, so the API needs a certificate: " +
			"set --application-api-tls-cert-file and --application-api-tls-key-file")
	}
	return nil
}

// advertised is the address at which other replicas reach this one; empty if calls cannot be passed on to this process.
func (o *ApplicationAPIOptions) advertised() (string, error) {
	if !o.serves() || o.TLSCertFile == "" {
		return "", nil
	}
	host, port, err := net.SplitHostPort(o.BindAddress)
	if err != nil {
		return "", fmt.Errorf("--application-api-bind-address: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if host = os.Getenv("POD_IP"); host == "" {
			return "", errors.New("--application-api-bind-address names no host: set the environment variable POD_IP to the address " +
				"at which the other replicas reach this one")
		}
	}
	return net.JoinHostPort(host, port), nil
}

// leaderBoard is what the replicas need to find the leader.
type leaderBoard struct {
	*broker.Board
	own *broker.Ephemeral
}

func newLeaderBoard(options Options) (leaderBoard, error) {
	own, err := broker.NewEphemeral()
	if err != nil {
		return leaderBoard{}, err
	}
	address := ""
	if options.LeaderElect {
		if address, err = options.ApplicationAPI.advertised(); err != nil {
			return leaderBoard{}, err
		}
	}
	return leaderBoard{broker.NewBoard(own.At(address), clock.RealClock{}), own}, nil
}

// addApplicationAPI has every replica serve the application API.
func addApplicationAPI(mgr ctrl.Manager, options Options, board leaderBoard, controllers *Controllers) error {
	if !options.ApplicationAPI.serves() {
		return nil
	}
	gate, err := broker.NewGate(mgr.GetConfig(), options.ApplicationAPI.Audience)
	if err != nil {
		return err
	}
	measured := broker.NewMetrics()
	if err := metrics.Registry.Register(measured); err != nil {
		return fmt.Errorf("registering the metrics of the application API: %w", err)
	}
	log := mgr.GetLogger().WithName("application-api")
	people := controllers.People
	forwarder := &broker.Forwarder{Board: board.Board, Fence: people.Fence, Standby: people.Standby}
	exchanges := &broker.Exchanges{Links: controllers.Links, Forwarder: forwarder}
	server := &broker.Server{
		Purpose: "the application API", Internal: exchanges,
		Address:  options.ApplicationAPI.BindAddress,
		CertFile: options.ApplicationAPI.TLSCertFile, KeyFile: options.ApplicationAPI.TLSKeyFile,
		Own: board.own, Forwarder: forwarder, Log: log,
		Handler: broker.NewHandler(broker.Config{
			Gate: gate, People: people, Links: controllers.Links, Forwarder: forwarder,
			Audit: controllers.Audit, Metrics: measured, Log: log,
		}),
	}
	if err := mgr.AddReadyzCheck("application-api", server.Ready); err != nil {
		return err
	}
	return errors.Join(mgr.Add(server), addWinkPage(mgr, options, exchanges))
}
