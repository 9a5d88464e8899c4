package sandbox

import (
	"net/url"
	"sync/atomic"
	"time"
)

// webhook is a registration. Nothing but deletion ever changes one.
type webhook struct {
	webhookRequest
	id        string
	createdAt time.Time
	deleted   bool        // guarded by the tenant
	gone      atomic.Bool // the same, for the office
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
	ID        string    `json:"id"`
	CreatedAt Timestamp `json:"createdAt"`
	webhookRequest
	UpdatedAt Timestamp `json:"updatedAt"`
}

// wire shows the secret, unless the quirk hides it.
func (w *webhook) wire(b *behaviour) webhookWire {
	shown := webhookWire{ID: w.id, CreatedAt: Timestamp{w.createdAt}, webhookRequest: w.webhookRequest, UpdatedAt: Timestamp{w.createdAt}}
	if b.webhookSecret == "hidden" {
		shown.Secret = ""
	}
	return shown
}

func webhookForm(allowHTTP bool) form {
	return form{
		{"name", true, aText(1, 200)},
		{"url", true, aText(1, 500, webhookURL(allowHTTP))},
		{"eventTypes", true, aList(1, aText(1, 64, oneOf(eventTypes...)))},
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
	hook := &webhook{webhookRequest: wanted, id: c.box.ids.next(""), createdAt: c.now}
	c.tenant.webhooks.add(hook.id, hook)
	c.tenant.commit(hook)
	c.committed = true
	return ok(hook.wire(&c.box.behaviour))
}

func listWebhooks(c *call) reply {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	return paginate(c, c.tenant.webhooks.after(c.paging.from),
		func(w *webhook) bool { return !w.deleted }, func(w *webhook) any { return w.wire(&c.box.behaviour) })
}

func getWebhook(c *call) reply {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	hook, known := c.tenant.webhooks.byID[c.id()]
	if !known || hook.deleted {
		return missing()
	}
	return ok(hook.wire(&c.box.behaviour))
}

func deleteWebhook(c *call) reply {
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	hook, known := c.tenant.webhooks.byID[c.id()]
	if !known || hook.deleted {
		return c.deletedAlready(known)
	}
	hook.deleted = true
	hook.gone.Store(true)
	c.tenant.commit(hook)
	c.committed = true
	return done()
}

// deletedAlready is the answer to deleting what is not there, or no longer.
func (c *call) deletedAlready(known bool) reply {
	if known && c.box.behaviour.repeatDelete == "200" {
		return done()
	}
	return missing()
}
