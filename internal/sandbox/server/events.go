package server

import (
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// details is the data of a webhook event.
type details map[string]any

// occurrence is something that webhooks are notified of.
type occurrence struct {
	kind string
	at   time.Time
	data func() details
	// payload is added for webhooks that include it; nil for types without one.
	payload func() any
}

// commit ends every change of state: it stores the changed object and notifies
// the webhooks. The caller holds mu.
func (t *tenant) commit(changed object, happened ...occurrence) {
	t.keep(changed)
	for _, o := range happened {
		t.emit(o)
	}
}

// emit sends an event to the webhooks that subscribe to its type.
func (t *tenant) emit(o occurrence) {
	var data details
	var id string
	for _, hook := range t.webhooks.order {
		if !hook.wants(o.kind) {
			continue
		}
		if data == nil {
			data, id = o.data(), t.box.ids.Next("et-")
		}
		t.box.deliveries.Post(t.pair.Key, hook.target(), t.event(hook, o, id, data))
	}
}

func (t *tenant) event(hook *webhook, o occurrence, id string, data details) delivery.Event {
	if t.box.behavior.EventID == "per-webhook" {
		id = t.box.ids.Next("et-")
	}
	userID, _ := data["userId"].(string)
	return delivery.Event{
		UserID: userID, ID: id, Version: 1, Type: o.kind, CreatedAt: wire.Timestamp{Time: o.at},
		Data:       t.box.behavior.Reshape(wire.Encode(t.withPayload(data, o.payload, hook.IncludePayload))),
		AddedLater: t.box.behavior.FutureField(),
	}
}

// withPayload is the data for a webhook. A quirk decides what replaces a
// payload that the webhook does not include.
func (t *tenant) withPayload(data details, payload func() any, wanted bool) details {
	if payload == nil {
		return data
	}
	own := details{}
	for name, value := range data {
		own[name] = value
	}
	switch {
	case wanted:
		own["payload"] = payload()
	case t.box.behavior.NoPayload == "null":
		own["payload"] = nil
	case t.box.behavior.NoPayload == "object":
		own["payload"] = struct{}{}
	}
	return own
}

func (w *webhook) wants(kind string) bool {
	return !w.deleted && w.Active && (slices.Contains(w.EventTypes, kind) || slices.Contains(w.EventTypes, delivery.AllEvents))
}

// liveWebhooks is the number of webhooks that are not deleted. The caller holds
// mu.
func (t *tenant) liveWebhooks() int {
	n := 0
	for _, hook := range t.webhooks.order {
		if !hook.deleted {
			n++
		}
	}
	return n
}

// hasActiveWebhook reports whether any webhook gets events. The caller holds
// mu.
func (t *tenant) hasActiveWebhook() bool {
	return slices.ContainsFunc(t.webhooks.order, func(w *webhook) bool { return !w.deleted && w.Active })
}
