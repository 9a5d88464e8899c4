package sandbox

import (
	"net/http"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
	"github.com/smile-operator/smile-operator/internal/sandbox/traffic"
)

// Names for tests and tools.
type (
	// Account is an account that a user has linked.
	Account = server.Account
	// Delivery is one event for one webhook.
	Delivery = delivery.Delivery
	// Fault makes calls of an operation go wrong.
	Fault = server.Fault
	// JournalEntry describes one call.
	JournalEntry = traffic.Entry
	// KeyPair is an API key and its secret.
	KeyPair = server.KeyPair
	// LinkRequest is what a person enters into the widget.
	LinkRequest = server.LinkRequest
	// Options of a sandbox.
	Options = server.Options
	// Sandbox is the handler of everything that the sandbox serves.
	Sandbox = server.Sandbox
	// SeedRequest describes users to create at once.
	SeedRequest = server.SeedRequest
	// Server is a sandbox that listens.
	Server = server.Server
	// Stats are counts of what the sandbox holds.
	Stats = server.Stats
	// User is a user at Smile.
	User = server.User
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
