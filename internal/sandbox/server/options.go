package server

import (
	"cmp"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Mode is the mode of a key pair. Only link tokens and their sessions show it.
type Mode string

// The modes of key pairs.
const (
	ModeSandbox    Mode = "SANDBOX"
	ModeProduction Mode = "PRODUCTION"
)

// KeyPair is the key and the secret of one tenant. Tenants share no users. Mode
// defaults to ModeSandbox.
type KeyPair struct {
	Key, Secret string
	Mode        Mode
}

// DefaultKeys is the default key pair.
const DefaultKeys = "sandbox-key:sandbox-secret"

// ParseKeys reads key:secret[:MODE],key:secret[:MODE]. New checks for
// duplicates.
func ParseKeys(text string) ([]KeyPair, error) {
	var pairs []KeyPair
	for entry := range strings.SplitSeq(text, ",") {
		parts := strings.Split(entry, ":")
		if len(parts) < 2 || len(parts) > 3 {
			return nil, fmt.Errorf("key pair number %d: want key:secret or key:secret:%s", len(pairs)+1, ModeProduction)
		}
		pair := KeyPair{Key: parts[0], Secret: parts[1], Mode: ModeSandbox}
		if len(parts) == 3 {
			pair.Mode = Mode(parts[2])
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

// Options configure a Sandbox. The zero value is a sandbox with the default key
// pair, without delays and without a rate limit.
type Options struct {
	// Keys are the pairs that are accepted; default DefaultKeys.
	Keys []KeyPair
	// RateLimit is how many calls within any second one address may make; 0
	// means no limit.
	RateLimit int
	// Quirks sets quirks by name; see quirks.All.
	Quirks map[string]string
	// Canary, if not empty, is the prefix of a marker in every personal field,
	// access token and error message.
	Canary string
	// Seed determines all ids. By default it is random, so that no run has the
	// ids of another.
	Seed string
	// Data is the directory that keeps the state across restarts. By default
	// the state is in memory.
	Data string
	// ControlHosts are names, besides localhost and addresses, by which the
	// control API and the page at / may be reached. Pages of these hosts may
	// call it.
	ControlHosts []string
	// LinkDelay is how long an account stays PENDING, on the sandbox clock.
	LinkDelay time.Duration
	// DataDelay is how long after connecting the data becomes readable, on the
	// sandbox clock.
	DataDelay time.Duration
	// AllowHTTPWebhooks accepts webhooks whose URL starts with http://.
	AllowHTTPWebhooks bool
	// WebhookRetry is the time between the attempts of a delivery, on the
	// sandbox clock; default 30 s.
	WebhookRetry time.Duration
	// WebhookTimeout bounds an attempt, in real time; default 10 s.
	WebhookTimeout time.Duration
	// WebhookWorkers is how many deliveries are sent to one webhook at the same
	// time; default 16. With 1 the order of events is kept.
	WebhookWorkers int
	// WebhookRoots are the authorities that https:// webhooks are verified
	// with; default the system's.
	WebhookRoots *x509.CertPool
	// WebhookTransport sends the events; default is an HTTP transport with
	// WebhookRoots.
	WebhookTransport http.RoundTripper
	// DataLife is how long data is kept after an account was connected or
	// refreshed, on the sandbox clock; default 60 days.
	DataLife time.Duration
	// JournalBodies is how many bytes of headers and bodies are kept of calls and
	// deliveries; 0 keeps none.
	JournalBodies int
	// Now is the wall clock; default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if len(o.Keys) == 0 {
		o.Keys, _ = ParseKeys(DefaultKeys)
	}
	if o.Seed == "" {
		o.Seed = rand.Text()
	}
	o.DataLife = cmp.Or(o.DataLife, 60*24*time.Hour)
	o.WebhookRetry = cmp.Or(o.WebhookRetry, 30*time.Second)
	o.WebhookTimeout = cmp.Or(o.WebhookTimeout, 10*time.Second)
	o.WebhookWorkers = cmp.Or(o.WebhookWorkers, 16)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (o Options) check() error {
	shortest := min(o.LinkDelay, o.DataDelay, o.DataLife, o.WebhookRetry, o.WebhookTimeout)
	if o.RateLimit < 0 || o.JournalBodies < 0 || o.WebhookWorkers < 0 || shortest < 0 {
		return errors.New("rate limit, delays, times, workers and sizes must not be negative")
	}
	return nil
}

// newTenants makes one tenant of each key pair, by key.
func newTenants(pairs []KeyPair) (map[string]*tenant, error) {
	tenants := map[string]*tenant{}
	for i, pair := range pairs {
		if pair.Mode == "" {
			pair.Mode = ModeSandbox
		}
		switch {
		case pair.Key == "" || pair.Secret == "" || strings.Contains(pair.Key, ":"):
			return nil, fmt.Errorf("key pair number %d: key and secret must not be empty, and a key has no colon", i+1)
		case pair.Mode != ModeSandbox && pair.Mode != ModeProduction:
			return nil, fmt.Errorf("key pair number %d: the mode must be %s or %s", i+1, ModeSandbox, ModeProduction)
		case tenants[pair.Key] != nil:
			return nil, fmt.Errorf("key %q is given twice", pair.Key)
		}
		tenants[pair.Key] = newTenant(pair)
	}
	return tenants, nil
}
