package smile

import (
	"context"
	"iter"
	"net/url"
	"slices"
	"strings"
)

// The vendor's bounds of a webhook.
const (
	MaxWebhookNameLength   = 200
	MaxWebhookURLLength    = 500
	MaxWebhookSecretLength = 64
)

// Webhook is a registration of a URL for events. The API can delete a webhook, but
// not change it.
type Webhook struct {
	ID   string
	Name string
	// URL may contain a secret of the receiver.
	URL Sensitive[string]
	// EventTypes is an open set.
	EventTypes     []EventType
	Active         bool
	IncludePayload bool
	// Secret that deliveries are signed with; empty if the response does not contain it.
	Secret Sensitive[string]
}

type webhookWire struct {
	ID             string            `json:"id"`
	Name           string            `json:"name"`
	URL            Sensitive[string] `json:"url"`
	EventTypes     []enum            `json:"eventTypes"`
	Active         bool              `json:"active"`
	IncludePayload bool              `json:"includePayload"`
	Secret         Sensitive[string] `json:"secret"`
}

func (w webhookWire) domain() (Webhook, error) {
	return Webhook{
		ID: w.ID, Name: w.Name, URL: w.URL, EventTypes: enums[EventType](w.EventTypes), Active: w.Active,
		IncludePayload: w.IncludePayload, Secret: w.Secret,
	}, checkID(w.ID)
}

// NewWebhook is what a webhook is created from.
type NewWebhook struct {
	Name           string
	URL            Sensitive[string]
	EventTypes     []EventType
	IncludePayload bool
	Secret         Sensitive[string]
}

// CreateWebhook registers an active webhook each time it is called: the API has no
// idempotency key, and names and URLs need not be unique. After any error for which
// NotCreated is false, the webhook may exist.
func (m *Mutator) CreateWebhook(ctx context.Context, wanted NewWebhook) (Webhook, error) {
	if err := wanted.check(); err != nil {
		return Webhook{}, err
	}
	return fetch[webhookWire](ctx, m.Client, call{
		operation: opCreateWebhook,
		path:      []string{"webhooks"},
		body: struct {
			Name           string      `json:"name"`
			URL            string      `json:"url"`
			EventTypes     []EventType `json:"eventTypes"`
			Active         bool        `json:"active"`
			Secret         string      `json:"secret"`
			IncludePayload bool        `json:"includePayload"`
		}{wanted.Name, wanted.URL.Reveal(), wanted.EventTypes, true, wanted.Secret.Reveal(), wanted.IncludePayload},
	})
}

// CoveredBy reports whether a webhook that Smile shows with these event types sends all the wanted ones. Smile may show more than
// were registered.
func (w NewWebhook) CoveredBy(shown []EventType) bool {
	return !slices.ContainsFunc(w.EventTypes, func(asked EventType) bool { return !slices.Contains(shown, asked) })
}

func (w NewWebhook) check() error {
	secret, target := w.Secret.Reveal(), w.URL.Reveal()
	switch {
	case w.Name == "" || len(w.Name) > MaxWebhookNameLength || !printableASCII(w.Name):
		return invalidArgument("name", "of the wrong length or not printable ASCII")
	case len(target) > MaxWebhookURLLength || !strings.Contains(target, "://"):
		return invalidArgument("url", "of the wrong length or form")
	case len(w.EventTypes) == 0:
		return invalidArgument("eventTypes", "none")
	case len(secret) < MinSigningKey || len(secret) > MaxWebhookSecretLength:
		return invalidArgument("secret", "of the wrong length")
	default:
		return nil
	}
}

// Webhooks lists the webhooks of the key pair's tenant. The responses contain the
// secrets of all of them in clear text.
func (c *Client) Webhooks(ctx context.Context) iter.Seq2[Webhook, error] {
	return list[webhookWire](ctx, c, call{
		operation: opListWebhooks, path: []string{"webhooks"}, query: url.Values{}, bounds: ofOne,
	})
}

// Webhook returns one webhook.
func (c *Client) Webhook(ctx context.Context, id string) (Webhook, error) {
	return fetchByID[webhookWire](ctx, c, opGetWebhook, "webhooks", id, func(w Webhook) string { return w.ID })
}

// DeleteWebhook deletes a webhook. Deliveries that have not succeeded by then are
// not retried.
func (m *Mutator) DeleteWebhook(ctx context.Context, id string) error {
	return m.deleteByID(ctx, opDeleteWebhook, "webhooks", id)
}
