package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/spf13/pflag"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/smile-operator/smile-operator/internal/broker"
	"github.com/smile-operator/smile-operator/internal/broker/wink"
)

// WinkOptions are the flags of the hosted page.
type WinkOptions struct {
	BindAddress   string
	BaseURL       string
	TLSCertFile   string
	TLSKeyFile    string
	CSPSources    []string
	CSPReportOnly bool
}

func (o *WinkOptions) bind(flags *pflag.FlagSet) {
	flags.StringVar(&o.BindAddress, "wink-bind-address", "",
		"address of the hosted page, at which people open the Wink widget by a link; empty or 0 turns it off")
	flags.StringVar(&o.BaseURL, "wink-base-url", "",
		"URL at which browsers reach --wink-bind-address, such as https://connect.example.com; plain HTTP for localhost and 127.0.0.1 only")
	flags.StringVar(&o.TLSCertFile, "wink-tls-cert-file", "",
		"PEM file of the hosted page's certificate, read again when it changes; plain HTTP when empty")
	flags.StringVar(&o.TLSKeyFile, "wink-tls-key-file", "", "PEM file of the hosted page's private key")
	flags.StringSliceVar(&o.CSPSources, "wink-csp-sources", nil,
		"additions to the hosted page's Content-Security-Policy that the vendor's script needs, as in style-src='unsafe-inline',frame-src=https://link.smileapi.io")
	flags.BoolVar(&o.CSPReportOnly, "wink-csp-report-only", false,
		"count violations of the hosted page's Content-Security-Policy in smile_operator_wink_csp_violations_total, and do not prevent them")
}

// serves reports whether this process serves the hosted page.
func (o *WinkOptions) serves() bool { return listens(o.BindAddress) }

func (o *WinkOptions) validate(api *ApplicationAPIOptions) error {
	_, err := wink.ParseSources(o.CSPSources)
	switch {
	case err != nil:
		return fmt.Errorf("--wink-csp-sources: %w", err)
	case (o.TLSCertFile == "") != (o.TLSKeyFile == ""):
		return errors.New("--wink-tls-cert-file and --wink-tls-key-file must be set together")
	case o.serves() != (o.BaseURL != ""):
		return errors.New("--wink-bind-address and --wink-base-url must be set together: links name the base URL")
	case !o.serves():
		return nil
	case !api.serves():
		return errors.New("--wink-bind-address requires --application-api-bind-address, at which backends ask for links")
	}
	return validateBaseURL(o.BaseURL)
}

func validateBaseURL(text string) error {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		return errors.New("--wink-base-url must be a URL like https://connect.example.com, without a user name, query or fragment")
	}
	local := parsed.Hostname() == "localhost" || net.ParseIP(parsed.Hostname()).IsLoopback()
	if parsed.Scheme != "https" && (parsed.Scheme != "http" || !local) {
		return errors.New("--wink-base-url must start with https://: the page receives link tokens, and people enter passwords into it")
	}
	return nil
}

// addWinkPage has every replica serve the hosted page.
func addWinkPage(mgr ctrl.Manager, options Options, exchanges *broker.Exchanges) error {
	if !options.Wink.serves() {
		return nil
	}
	sources, err := wink.ParseSources(options.Wink.CSPSources)
	if err != nil {
		return err
	}
	measured := wink.NewMetrics()
	if err := metrics.Registry.Register(measured); err != nil {
		return fmt.Errorf("registering the metrics of the hosted page: %w", err)
	}
	handler, err := wink.NewHandler(wink.Config{
		Widgets: mgr.GetClient(), Exchange: exchanges.Exchange, BaseURL: options.Wink.BaseURL,
		Sources: sources, ReportOnly: options.Wink.CSPReportOnly, Metrics: measured,
	})
	if err != nil {
		return err
	}
	server := &broker.Server{
		Purpose: "the hosted page", Address: options.Wink.BindAddress, Handler: handler,
		CertFile: options.Wink.TLSCertFile, KeyFile: options.Wink.TLSKeyFile, Log: mgr.GetLogger().WithName("wink-page"),
	}
	if err := mgr.AddReadyzCheck("wink-page", server.Ready); err != nil {
		return err
	}
	return mgr.Add(server)
}
