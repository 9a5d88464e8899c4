package server

import (
	"net/url"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// webhook is a registration of a URL for events. It can be deleted, but not
// changed.
type webhook struct {
	registration
	WebhookRequest
}

// WebhookRequest is a webhook to register.
type WebhookRequest struct {
	Name           string   `json:"name"`
	URL            string   `json:"url"`
	EventTypes     []string `json:"eventTypes"`
	Active         bool     `json:"active"`
	Secret         string   `json:"secret,omitempty"`
	IncludePayload bool     `json:"includePayload"`
}

type webhookWire struct {
	ID        string         `json:"id"`
	CreatedAt wire.Timestamp `json:"createdAt"`
	WebhookRequest
	UpdatedAt wire.Timestamp `json:"updatedAt"`
}

// target is where the webhook's events are sent.
func (w *webhook) target() delivery.Target {
	return delivery.Target{WebhookID: w.id, URL: w.URL, Secret: w.Secret, Deleted: w.gone.Load}
}

// wire contains the secret unless a quirk hides it.
func (w *webhook) wire(b *quirks.Behavior) any {
	shown := webhookWire{
		ID: w.id, CreatedAt: wire.Timestamp{Time: w.createdAt}, WebhookRequest: w.WebhookRequest,
		UpdatedAt: wire.Timestamp{Time: w.createdAt},
	}
	if b.WebhookSecret == "hidden" {
		shown.Secret = ""
	}
	return shown
}

var webhooks registry[*webhook] = func(t *tenant) *collection[*webhook] { return &t.webhooks }

func webhookForm(allowHTTP bool) validate.Form {
	return validate.Form{
		validate.Required("name", validate.Text(1, 200)),
		validate.Required("url", validate.Text(1, 500, webhookURL(allowHTTP))),
		validate.Required("eventTypes", validate.List(1, validate.Text(1, 64, validate.OneOf(delivery.EventTypes...)))),
		validate.Required("active", validate.Bool),
		validate.Required("secret", validate.Text(1, 64)),
		validate.Optional("includePayload", validate.Bool),
	}
}

func webhookURL(allowHTTP bool) validate.Rule {
	return func(value string) string {
		at, err := url.Parse(value)
		switch {
		case err == nil && at.Host != "" && (at.Scheme == "https" || allowHTTP && at.Scheme == "http"):
			return ""
		case allowHTTP:
			return "must be a URL that starts with https:// or http://"
		case err == nil && at.Scheme == "http":
			return "must be a URL that starts with https://; --allow-http-webhooks permits http:// too"
		default:
			return "must be a URL that starts with https://"
		}
	}
}

func createWebhook(c *call) reply {
	wanted, wrong := validate.ReadForm[WebhookRequest](c.body, c.box.hookForm)
	if wrong != nil {
		return badRequest(wrong)
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	return ok(webhooks.add(c, "", &webhook{WebhookRequest: wanted}).wire(&c.box.behavior))
}
