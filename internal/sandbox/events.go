package sandbox

import (
	"encoding/json"
	"slices"
	"time"
)

// allEvents is what a webhook names to get every type.
const allEvents = "ALL_EVENTS"

// eventTypes is every type of event that a webhook can name. Those of risk
// screening have no cause in the sandbox.
var eventTypes = []string{
	"USER_CREATED", "ACCOUNT_CREATED", "ACCOUNT_CONNECTED", "ACCOUNT_DISCONNECTED", "ACCOUNT_FAILED",
	"TASK_STARTED", "TASK_FINISHED", "ACCOUNT_SYNC_TASK_FINISHED",
	"ARCHIVE_STARTED", "ARCHIVE_ANALYZED", "ARCHIVE_REVOKED", "ARCHIVE_FAILED", "INVITE_INVITED", "INVITE_LINKED",
	"IDENTITY_ADDED", "RATING_ADDED", "TRANSACTIONS_ADDED", "DOCUMENTS_ADDED", "DOCUMENTS_UPDATED",
	"EMPLOYMENTS_ADDED", "EMPLOYMENTS_UPDATED", "INCOMES_ADDED", "INCOMES_UPDATED",
	"CONTRIBUTIONS_ADDED", "CONTRIBUTIONS_UPDATED", "EINCOMES_ADDED", "EINCOMES_UPDATED",
	"LIABILITIES_ADDED", "LIABILITIES_UPDATED", "INSIGHT_ADDED", "LINK_ADDED",
	"VERIFICATION_STARTED", "VERIFICATION_COMPLETED", "RECORD_CREATED", "RECORD_COMPLETED",
	"USER_SESSION_COMPLETED", "USER_SESSION_RESET", allEvents,
}

// details is the data of an event.
type details map[string]any

// occurrence is what happened, before anybody is told.
type occurrence struct {
	kind string
	at   time.Time
	tell func() details
	// payload is added for webhooks that want it; nil for types without one.
	payload func() any
}

// eventWire is an event as a webhook gets it.
type eventWire struct {
	ID        string          `json:"id"`
	Version   int             `json:"version"`
	Type      string          `json:"type"`
	CreatedAt Timestamp       `json:"createdAt"`
	Data      json.RawMessage `json:"data"`
	// AddedLater is a field that nobody has heard of.
	AddedLater json.RawMessage `json:"addedLater,omitempty"`
}

// commit is where every change of state ends: it has the changed object kept
// and tells the webhooks what happened. The caller holds mu.
func (t *tenant) commit(changed object, happened ...occurrence) {
	t.keep(changed)
	for _, o := range happened {
		t.emit(o)
	}
}

// emit tells the webhooks that want to know.
func (t *tenant) emit(o occurrence) {
	var told details
	var id string
	for _, hook := range t.webhooks.order {
		if !hook.wants(o.kind) {
			continue
		}
		if told == nil {
			told, id = o.tell(), t.box.ids.next("et-")
		}
		t.box.office.post(t.delivery(hook, o, id, told))
	}
}

func (t *tenant) delivery(hook *webhook, o occurrence, id string, told details) *delivery {
	if t.box.behaviour.eventID == "per-webhook" {
		id = t.box.ids.next("et-")
	}
	return &delivery{
		hook: hook,
		event: eventWire{
			ID: id, Version: 1, Type: o.kind, CreatedAt: Timestamp{o.at},
			Data:       t.box.behaviour.reshape(encode(t.withPayload(told, o.payload, hook.IncludePayload))),
			AddedLater: t.box.behaviour.futureField(),
		},
		record: &Delivery{
			EventID: id, EventType: o.kind, WebhookID: hook.id, URL: hook.URL, Key: t.pair.Key,
			CreatedAt: t.box.clock.now(), State: DeliveryPending, Attempts: []Attempt{},
		},
	}
}

// withPayload is the data for a webhook. What stands for a payload that is not
// wanted is a quirk.
func (t *tenant) withPayload(told details, payload func() any, wanted bool) details {
	if payload == nil {
		return told
	}
	own := details{}
	for name, value := range told {
		own[name] = value
	}
	switch {
	case wanted:
		own["payload"] = payload()
	case t.box.behaviour.noPayload == "null":
		own["payload"] = nil
	case t.box.behaviour.noPayload == "object":
		own["payload"] = struct{}{}
	}
	return own
}

func (w *webhook) wants(kind string) bool {
	return !w.deleted && w.Active && (slices.Contains(w.EventTypes, kind) || slices.Contains(w.EventTypes, allEvents))
}

// liveWebhooks is how many there are. The caller holds mu.
func (t *tenant) liveWebhooks() int {
	n := 0
	for _, hook := range t.webhooks.order {
		if !hook.deleted {
			n++
		}
	}
	return n
}

// listened tells whether anybody is told anything. The caller holds mu.
func (t *tenant) listened() bool {
	return slices.ContainsFunc(t.webhooks.order, func(w *webhook) bool { return !w.deleted && w.Active })
}
