package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
	"github.com/smile-operator/smile-operator/internal/version"
)

// Providers are the providers that Smile lists for a connection.
type Providers struct {
	Providers []Provider `json:"providers"`
}

// Provider is an organization at which people have accounts.
type Provider struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Usable is true if the integration works at present, and this key pair may use it.
	Usable bool `json:"usable"`
	// Linkable is true if accounts can be linked; otherwise documents can be uploaded.
	Linkable   bool     `json:"linkable"`
	Datapoints []string `json:"datapoints"`
}

// Names are the ids, one a line, as spec.providers of a SmileAccountSync takes them.
func (p *Providers) Names() []string {
	var ids []string
	for _, provider := range p.Providers {
		ids = append(ids, provider.ID)
	}
	return ids
}

// Write writes a table.
func (p *Providers) Write(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tUSABLE\tACCOUNTS\tDATAPOINTS")
	for _, provider := range p.Providers {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", plain(provider.ID), plain(provider.Name),
			yesOrNo(provider.Usable), yesOrNo(provider.Linkable), plain(strings.Join(provider.Datapoints, ",")))
	}
	_ = table.Flush()
}

func yesOrNo(value bool) string {
	if value {
		return "yes"
	}
	return "no"
}

func (p *plugin) providersCommand() *cobra.Command {
	var output format
	var all bool
	cmd := &cobra.Command{
		Use: "providers CONNECTION", Short: "List the providers that a connection can use", Args: cobra.ExactArgs(1),
		Long: `Asks Smile, with the key pair of the connection, for the providers whose ids spec.providers of a SmileAccountSync
takes. You need the right to read the Secret with the key pair. The calls count against the quota of your own address.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := targets(args, &connections, func(k kind) bool { return k.name == connections.name })
			if err != nil {
				return err
			}
			namespace, _, err := p.namespace()
			if err != nil {
				return err
			}
			objects, err := p.objects()
			if err != nil {
				return err
			}
			connection := chosen[0].in(namespace).(*v1alpha1.SmileConnection)
			found, err := readProviders(cmd.Context(), objects, connection, all)
			if err != nil {
				return err
			}
			return output.write(p.Out, found)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that are not usable at present")
	output.bind(cmd.Flags())
	return cmd
}

// readProviders asks Smile, with the key pair of a connection, at the endpoint that the operator uses.
func readProviders(ctx context.Context, from client.Reader, obj *v1alpha1.SmileConnection, all bool) (*Providers, error) {
	if err := from.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return nil, err
	}
	base, err := endpoint(obj)
	if err != nil {
		return nil, err
	}
	ref := obj.Spec.CredentialsSecretRef
	secret := &corev1.Secret{}
	if err := from.Get(ctx, client.ObjectKey{Namespace: obj.Namespace, Name: ref.Name}, secret); err != nil {
		return nil, err
	}
	pair, roots, err := connection.ReadSecret(secret, ref)
	if err != nil {
		return nil, err
	}
	found := &Providers{Providers: []Provider{}}
	for provider, err := range smile.NewClient(base, newVendor(pair, roots)).Providers(ctx, smile.ProviderFilter{}) {
		if err != nil {
			return nil, fmt.Errorf("asking Smile at %s: %w", base.Host, err)
		}
		usable := provider.Active && provider.Enabled
		if !usable && !all {
			continue
		}
		shown := Provider{
			ID: provider.ID, Name: provider.Name, Usable: usable, Linkable: provider.AccountConnection, Datapoints: []string{},
		}
		for _, datapoint := range provider.Supported {
			shown.Datapoints = append(shown.Datapoints, string(datapoint))
		}
		found.Providers = append(found.Providers, shown)
	}
	slices.SortFunc(found.Providers, func(a, b Provider) int { return strings.Compare(a.ID, b.ID) })
	return found, nil
}

// endpoint is the one that the operator has checked. Keys are sent without encryption only to this machine.
func endpoint(connection *v1alpha1.SmileConnection) (*url.URL, error) {
	if connection.Status.Endpoint == "" {
		return nil, errors.New("the operator has not checked the connection yet: kubectl smile status shows why")
	}
	base, err := url.Parse(connection.Status.Endpoint)
	if err != nil {
		return nil, err
	}
	ip := net.ParseIP(base.Hostname())
	if base.Scheme != "https" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("the endpoint %s is not encrypted: the key pair is not sent there", base)
	}
	return base, nil
}

// vendor sends requests with a key pair.
type vendor struct {
	*http.Client

	pair transport.Credentials
}

const vendorTimeout = 20 * time.Second

// newVendor trusts the given certificate authorities; those of the system if they are nil. It follows no redirect, because the
// key pair would be sent along.
func newVendor(pair transport.Credentials, roots *x509.CertPool) *vendor {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	return &vendor{pair: pair, Client: &http.Client{
		Transport:     transport.CapBody(base),
		Timeout:       vendorTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Do sends a request.
func (v *vendor) Do(r *http.Request) (*http.Response, error) {
	r.SetBasicAuth(v.pair.Key.Reveal(), v.pair.Secret.Reveal())
	r.Header.Set("User-Agent", "kubectl-smile/"+version.Version)
	return v.Client.Do(r) //nolint:gosec // the host is that of the connection: see endpoint
}
