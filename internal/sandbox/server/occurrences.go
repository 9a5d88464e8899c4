package server

import (
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// The events for webhooks, by type.

func userCreatedEvent(u *user, at time.Time) occurrence {
	return occurrence{kind: "USER_CREATED", at: at, data: func() details {
		return details{"userId": u.id, "session": u.session()}
	}}
}

// about is the data of every event about an account.
func (a *account) about() details {
	return details{"userId": a.owner.id, "accountId": a.id, "providers": []string{a.provider.ID}}
}

// with adds a detail.
func (d details) with(name string, value any) details {
	d[name] = value
	return d
}

func accountCreatedEvent(a *account, at time.Time) occurrence {
	return occurrence{kind: "ACCOUNT_CREATED", at: at, data: a.about}
}

func (t *tenant) aboutLogin(a *account) details {
	return a.about().with("loginName", t.box.canaries.In("loginName", a.login))
}

// accountStatusEvents returns the event about the new status of an account, if
// there is one.
func (t *tenant) accountStatusEvents(a *account, at time.Time) []occurrence {
	switch a.status {
	case Connected:
		return []occurrence{{kind: "ACCOUNT_CONNECTED", at: at, data: func() details {
			return t.aboutLogin(a)
		}}}
	case Failed:
		return []occurrence{{kind: "ACCOUNT_FAILED", at: at, data: func() details {
			return t.aboutLogin(a).with("errorCode", a.errorCode).with("errorMessage", a.errorMessage)
		}}}
	case Disconnected:
		return []occurrence{{kind: "ACCOUNT_DISCONNECTED", at: at, data: a.about}}
	default:
		return nil
	}
}

// about is the data that all events of a task have.
func (t *task) about() details {
	from := t.reference()
	return details{
		"userId": from.UserID, "sourceId": from.SourceID, "sourceType": from.SourceType,
		"providers": []string{from.ProviderID}, "taskType": t.kind,
	}
}

func taskStartEvent(t *task, at time.Time) occurrence {
	return occurrence{kind: "TASK_STARTED", at: at, data: t.about}
}

// taskEndEvent is the event about the end of a task. Its payload is the
// account's data.
func (t *tenant) taskEndEvent(ended *task, at time.Time) occurrence {
	payload := func() any { return t.sourcePayload(ended) }
	if ended.kind == updateAccount {
		return occurrence{kind: "ACCOUNT_SYNC_TASK_FINISHED", at: at, payload: payload, data: func() details {
			data := ended.about().with("status", t.outcomeOf(ended)).with("monitorStatus", ended.account.monitor)
			delete(data, "taskType")
			return t.box.behavior.SpellDatapoints(data, t.box.behavior.Names(ended.datapoints))
		}}
	}
	return occurrence{kind: "TASK_FINISHED", at: at, payload: payload, data: func() details {
		data := ended.about().with("datapoints", t.box.behavior.Names(ended.datapoints))
		if t.box.behavior.TaskFinished == "short" {
			delete(data, "taskType")
			return data
		}
		var code any
		if ended.errorCode != "" {
			code = ended.errorCode
		}
		return data.with("status", t.outcomeOf(ended)).with("errorCode", code)
	}}
}

func (t *tenant) outcomeOf(ended *task) string {
	if ended.errorCode == "" {
		return "SUCCEEDED"
	}
	return t.box.behavior.FailedStatus
}

// itemEvents are the events about the items of a data point: the type for new
// items, the field with the id if there is only one item ("" if items are
// counted), and the type for an update ("" if there is none).
var itemEvents = map[string]struct{ added, idField, updated string }{
	"IDENTITIES":    {"IDENTITY_ADDED", "identityId", ""},
	"RATINGS":       {"RATING_ADDED", "ratingId", ""},
	"DOCUMENTS":     {"DOCUMENTS_ADDED", "", ""},
	"EMPLOYMENTS":   {"EMPLOYMENTS_ADDED", "", ""},
	"INCOMES":       {"INCOMES_ADDED", "", "INCOMES_UPDATED"},
	"CONTRIBUTIONS": {"CONTRIBUTIONS_ADDED", "", "CONTRIBUTIONS_UPDATED"},
	"LIABILITIES":   {"LIABILITIES_ADDED", "", ""},
	"TRANSACTIONS":  {"TRANSACTIONS_ADDED", "", ""},
	"EINCOMES":      {"EINCOMES_ADDED", "", "EINCOMES_UPDATED"},
	"INSIGHTS":      {"INSIGHT_ADDED", "id", ""},
	"LINK":          {"LINK_ADDED", "id", ""},
}

// dataEvents returns the events about what the last refresh of an account
// brought, one per data point.
func (t *tenant) dataEvents(a *account, at time.Time) []occurrence {
	var found []occurrence
	for _, d := range fixtures.Datapoints {
		items := t.box.linker.materialize(t, a, d.Path)
		var fresh []*item
		for _, i := range items {
			if i.refresh == len(a.refreshes)-1 {
				fresh = append(fresh, i)
			}
		}
		if len(fresh) == 0 {
			continue
		}
		if len(a.refreshes) == 1 {
			found = append(found, itemsAddedEvent(a, d, fresh, at))
		} else if itemEvents[d.Name].updated != "" {
			found = append(found, itemsUpdatedEvent(a, d, fresh, at))
		}
	}
	return found
}

func itemsAddedEvent(a *account, d fixtures.Datapoint, fresh []*item, at time.Time) occurrence {
	news := itemEvents[d.Name]
	return occurrence{kind: news.added, at: at, data: func() details {
		if news.idField != "" {
			return a.about().with(news.idField, fresh[0].id)
		}
		return a.about().with("count", len(fresh))
	}}
}

// itemsUpdatedEvent is the event about an update, with the range of its dates.
func itemsUpdatedEvent(a *account, d fixtures.Datapoint, fresh []*item, at time.Time) occurrence {
	return occurrence{kind: itemEvents[d.Name].updated, at: at, data: func() details {
		first, last := fresh[0].on, fresh[0].on
		for _, i := range fresh {
			first, last = min(first, i.on), max(last, i.on)
		}
		return a.about().with("count", len(fresh)).with("updatedAt", wire.Timestamp{Time: at}).
			with("updatedFrom", midnight(first)).with("updatedTo", midnight(last))
	}}
}

// midnight is when a day, or the first day of a month, begins.
func midnight(on string) wire.Timestamp {
	if len(on) == len("2006-01") {
		on += "-01"
	}
	at, _ := time.Parse(time.DateOnly, on)
	return wire.Timestamp{Time: at}
}
