package sandbox

import (
	"net/url"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// webhook is a registration of a URL for events. Nothing but deletion ever
// changes one.
type webhook struct {
	registration
	webhookRequest
}

type webhookRequest struct {
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
	webhookRequest
	UpdatedAt wire.Timestamp `json:"updatedAt"`
}

// target is where deliveries of the webhook's events go.
func (w *webhook) target() delivery.Target {
	return delivery.Target{WebhookID: w.id, URL: w.URL, Secret: w.Secret, Deleted: w.gone.Load}
}

// wire shows the secret, unless the quirk hides it.
func (w *webhook) wire(b *behaviour) any {
	shown := webhookWire{ID: w.id, CreatedAt: wire.Timestamp{Time: w.createdAt}, webhookRequest: w.webhookRequest, UpdatedAt: wire.Timestamp{Time: w.createdAt}}
	if b.webhookSecret == "hidden" {
		shown.Secret = ""
	}
	return shown
}

var webhooks registry[*webhook] = func(t *tenant) *collection[*webhook] { return &t.webhooks }

func webhookForm(allowHTTP bool) form {
	return form{
		{"name", true, aText(1, 200)},
		{"url", true, aText(1, 500, webhookURL(allowHTTP))},
		{"eventTypes", true, aList(1, aText(1, 64, oneOf(delivery.EventTypes...)))},
		{"active", true, aBool},
		{"secret", true, aText(1, 64)},
		{"includePayload", false, aBool},
	}
}

func webhookURL(allowHTTP bool) rule {
	return func(value string) string {
		at, err := url.Parse(value)
		if err == nil && at.Host != "" && (at.Scheme == "https" || allowHTTP && at.Scheme == "http") {
			return ""
		}
		return "must be a URL that starts with https://"
	}
}

func createWebhook(c *call) reply {
	wanted, wrong := readForm[webhookRequest](c.body, c.box.hookForm)
	if wrong != nil {
		return wrong.reply()
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	return ok(webhooks.add(c, "", &webhook{webhookRequest: wanted}).wire(&c.box.behaviour))
}
