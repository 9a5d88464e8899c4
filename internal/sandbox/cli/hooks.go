package cli

import (
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// hookSettings are the values of the flags about webhooks.
type hookSettings struct {
	allowHTTP bool
	caFile    string
	retry     time.Duration
	timeout   time.Duration
	workers   int
}

func (h *hookSettings) register(flags *pflag.FlagSet) {
	flags.BoolVar(&h.allowHTTP, "allow-http-webhooks", false, "accept webhooks whose URL starts with http://")
	flags.StringVar(&h.caFile, "webhook-ca-file", "", "additional authorities that https:// webhooks are verified with (PEM file)")
	flags.DurationVar(&h.retry, "webhook-retry", 30*time.Second,
		"time between the three attempts of a delivery, on the sandbox clock")
	flags.DurationVar(&h.timeout, "webhook-timeout", 10*time.Second, "how long a webhook may take to answer")
	flags.IntVar(&h.workers, "webhook-workers", 16, "deliveries that are sent to one webhook at the same time; 1 keeps the order of events")
}

// apply sets the options. It reads the file of authorities.
func (h *hookSettings) apply(options *server.Options) error {
	options.AllowHTTPWebhooks = h.allowHTTP
	options.WebhookRetry, options.WebhookTimeout, options.WebhookWorkers = h.retry, h.timeout, h.workers
	if h.caFile == "" {
		return nil
	}
	text, err := os.ReadFile(h.caFile)
	if err != nil {
		return fmt.Errorf("--webhook-ca-file: %w", err)
	}
	if options.WebhookRoots, err = x509.SystemCertPool(); err != nil {
		options.WebhookRoots = x509.NewCertPool()
	}
	if !options.WebhookRoots.AppendCertsFromPEM(text) {
		return fmt.Errorf("--webhook-ca-file: no certificate in %s", h.caFile)
	}
	return nil
}
