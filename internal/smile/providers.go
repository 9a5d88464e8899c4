package smile

import (
	"context"
	"iter"
	"net/url"
	"strings"
	"unicode"
)

// Provider is an organization at which people have accounts that they can link.
type Provider struct {
	ID   string
	Name string
	// Active is whether the integration works at present.
	Active bool
	// Enabled is whether this tenant may use it.
	Enabled bool
	// MFA is whether its login may require a second factor.
	MFA bool
	// AccountConnection is whether its accounts can be linked. Otherwise only documents
	// can be uploaded.
	AccountConnection bool
	// MonitorSupported is whether it has continuous data sync.
	MonitorSupported bool
	// Supported are the datapoints that it can provide.
	Supported []Datapoint
}

type providerWire struct {
	ID                string `json:"id"`
	Name              string `json:"name"`
	Active            bool   `json:"active"`
	Enabled           bool   `json:"enabled"`
	MFA               bool   `json:"mfa"`
	AccountConnection *bool  `json:"accountConnection"`
	MonitorSupported  bool   `json:"monitorSupported"`
	Supported         []enum `json:"supported"`
}

func (w providerWire) domain() (Provider, error) {
	return Provider{
		ID:                w.ID,
		Name:              printable(w.Name),
		Active:            w.Active,
		Enabled:           w.Enabled,
		MFA:               w.MFA,
		AccountConnection: w.AccountConnection == nil || *w.AccountConnection,
		MonitorSupported:  w.MonitorSupported,
		Supported:         enums[Datapoint](w.Supported),
	}, checkID(w.ID)
}

const maxNameLength = 256

// printable removes control characters from a remote text, which could confuse a
// terminal or a log, and cuts it to 256 characters.
func printable(text string) string {
	kept := make([]rune, 0, min(len(text), maxNameLength))
	for _, r := range text {
		if unicode.IsPrint(r) && len(kept) < maxNameLength {
			kept = append(kept, r)
		}
	}
	return string(kept)
}

// ProviderFilter narrows a listing of providers. A nil field does not narrow it.
type ProviderFilter struct {
	IDs               []string
	Active            *bool
	Enabled           *bool
	AccountConnection *bool
}

// Providers lists providers.
func (c *Client) Providers(ctx context.Context, by ProviderFilter) iter.Seq2[Provider, error] {
	for _, id := range by.IDs {
		if !validID(id) {
			return failing[Provider](invalidArgument("IDs", ProblemBadID))
		}
	}
	query := filter{}.text("ids", strings.Join(by.IDs, ",")).flag("active", by.Active).
		flag("enabled", by.Enabled).flag("accountConnection", by.AccountConnection)
	return list[providerWire](ctx, c, call{
		operation: opListProviders, path: []string{"providers"}, query: url.Values(query), bounds: ofOne,
	})
}

// Provider returns one provider.
func (c *Client) Provider(ctx context.Context, id string) (Provider, error) {
	return fetchByID[providerWire](ctx, c, opGetProvider, "providers", id, func(p Provider) string { return p.ID })
}

// Probe makes the cheapest call that proves a key pair.
func (c *Client) Probe(ctx context.Context) error {
	_, err := receive[page](ctx, c, call{
		operation: opListProviders, path: []string{"providers"}, query: url.Values{"size": {"1"}},
	})
	return err
}
