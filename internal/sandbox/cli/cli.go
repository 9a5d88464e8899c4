// Package cli is the command line of smile-sandbox.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/smile-operator/smile-operator/internal/sandbox/bodies"
	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
	"github.com/smile-operator/smile-operator/internal/version"
)

// settings are the values of the flags.
type settings struct {
	addr       string
	selfSigned bool
	certFile   string
	keyFile    string
	keys       string
	rateLimit  int
	quirks     string
	canary     string
	seed       string
	linkDelay  time.Duration
	dataDelay  time.Duration
	data       string
	dataLife   time.Duration
	control    []string
	bodies     bool
	hooks      hookSettings
	// applicationAPI is the address of the application API; empty for none.
	applicationAPI string
}

// failure is an error with an exit code of its own.
type failure struct {
	error
	code int
}

// Run serves until SIGINT or SIGTERM and returns the exit code.
func Run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	command := newCommand()
	command.SetArgs(args)
	command.SetOut(stdout)
	command.SetErr(stderr)
	if err := command.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "smile-sandbox:", err)
		var own failure
		if errors.As(err, &own) {
			return own.code
		}
		return 1
	}
	return 0
}

func newCommand() *cobra.Command {
	var set settings
	command := &cobra.Command{
		Use:           "smile-sandbox",
		Short:         "Serve an offline, stateful emulation of Smile's API",
		Long:          longHelp(),
		Version:       version.Version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			return serve(command.Context(), set, command.OutOrStdout())
		},
	}
	set.register(command.Flags())
	command.MarkFlagsMutuallyExclusive("tls-self-signed", "tls-cert")
	command.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	command.CompletionOptions.DisableDefaultCmd = true
	command.AddCommand(newContractCommand(), newRunCommand())
	return command
}

// register defines the flags of a sandbox.
func (s *settings) register(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8484", "address to listen on; port 0 selects a free one")
	flags.BoolVar(&s.selfSigned, "tls-self-signed", false,
		"serve HTTPS with a certificate that is created at start; GET /_sandbox/ca.pem returns its authority, which --data keeps")
	flags.StringVar(&s.certFile, "tls-cert", "", "serve HTTPS with this certificate (PEM file)")
	flags.StringVar(&s.keyFile, "tls-key", "", "private key of --tls-cert (PEM file)")
	flags.StringVar(&s.keys, "keys", server.DefaultKeys, "accepted key pairs, one tenant each: key:secret[:PRODUCTION],...")
	flags.IntVar(&s.rateLimit, "rate-limit", 20, "calls that one address may make within a second; 0 means no limit")
	flags.StringVar(&s.quirks, "quirks", "", "quirks, see above: name=value,...")
	flags.StringVar(&s.canary, "canary", "", "prefix of a marker in every personal field, access token and error message")
	flags.StringVar(&s.seed, "seed", "", "determines all ids; default is random")
	flags.DurationVar(&s.linkDelay, "link-delay", 0, "how long a new account stays PENDING, on the sandbox clock")
	flags.DurationVar(&s.dataDelay, "data-delay", 0, "how long after connecting the data becomes readable, on the sandbox clock")
	flags.StringVar(&s.data, "data", "", "directory that keeps the state across restarts; by default the state is in memory")
	flags.DurationVar(&s.dataLife, "data-life", 60*24*time.Hour,
		"how long data is kept after an account was connected, on the sandbox clock")
	flags.StringSliceVar(&s.control, "control-hosts", nil,
		"names, besides localhost and addresses, by which /_sandbox/ may be reached: name,...")
	flags.BoolVar(&s.bodies, "journal-bodies", true,
		"keep headers and bodies of calls and deliveries for the page at /, 64 MiB at most")
	s.hooks.register(flags)
	registerApplicationAPI(flags, &s.applicationAPI)
}

func longHelp() string {
	var text strings.Builder
	text.WriteString(`smile-sandbox serves Smile's Open API under /v1/, for any host name, and a control
API under /_sandbox/ that does what people do in the widget. The state is in
memory, or with --data in a file that survives a kill of the process.

Quirks are points that the vendor's documents leave open. The first value is the
default. The default of a DURATION is 0:
`)
	for _, q := range quirks.All() {
		fmt.Fprintf(&text, "  %-16s %-17s %s\n", q.Name, q.Values, q.Doc)
	}
	return text.String()
}

func (s settings) options() (server.Options, error) {
	keys, err := server.ParseKeys(s.keys)
	if err != nil {
		return server.Options{}, fmt.Errorf("--keys: %w", err)
	}
	chosen, err := quirks.Parse(s.quirks)
	if err != nil {
		return server.Options{}, fmt.Errorf("--quirks: %w", err)
	}
	options := server.Options{
		Keys: keys, RateLimit: s.rateLimit, Quirks: chosen, Canary: s.canary, Seed: s.seed,
		LinkDelay: s.linkDelay, DataDelay: s.dataDelay, DataLife: s.dataLife, Data: s.data,
		ControlHosts: s.control,
	}
	if s.bodies {
		options.JournalBodies = bodies.DefaultLimit
	}
	return options, s.hooks.apply(&options)
}
