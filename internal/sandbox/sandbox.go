package sandbox

import (
	"net/http"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
	"github.com/smile-operator/smile-operator/internal/sandbox/traffic"
)

// What a test or a tool names of the sandbox. The documentation is at the
// originals.
type (
	Account      = server.Account
	Delivery     = delivery.Delivery
	Fault        = server.Fault
	JournalEntry = traffic.Entry
	KeyPair      = server.KeyPair
	LinkRequest  = server.LinkRequest
	Options      = server.Options
	Sandbox      = server.Sandbox
	SeedRequest  = server.SeedRequest
	Server       = server.Server
	Stats        = server.Stats
	User         = server.User
)

// Values of the types above.
const (
	DefaultKeys = server.DefaultKeys

	ModeSandbox    = server.ModeSandbox
	ModeProduction = server.ModeProduction

	Connected    = server.Connected
	Disconnected = server.Disconnected

	DeliveryDelivered = delivery.Delivered
	DeliveryFailed    = delivery.Failed
)

// Start makes a sandbox and serves it on a free loopback port, without TLS.
func Start(options Options) (*Server, error) { return server.Start(options) }

// New makes a sandbox, which is an http.Handler.
func New(options Options) (*Sandbox, error) { return server.New(options) }

// NewHTTPServer returns a server for the sandbox.
func NewHTTPServer(s *Sandbox) *http.Server { return server.NewHTTPServer(s) }

// ParseKeys reads key:secret[:MODE],key:secret[:MODE].
func ParseKeys(text string) ([]KeyPair, error) { return server.ParseKeys(text) }

// QuirksFromEnvironment returns the quirks of the environment variable
// quirks.Variable, overridden by chosen.
func QuirksFromEnvironment(chosen map[string]string) (map[string]string, error) {
	return quirks.FromEnvironment(chosen)
}
