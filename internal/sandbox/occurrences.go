package sandbox

import (
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// What the webhooks are told about the things that happen, type by type.

func userCreated(u *user, at time.Time) occurrence {
	return occurrence{kind: "USER_CREATED", at: at, tell: func() details {
		return details{"userId": u.id, "session": u.session()}
	}}
}

// about is what every event about an account says.
func (a *account) about() details {
	return details{"userId": a.owner.id, "accountId": a.id, "providers": []string{a.provider.ID}}
}

// and is the details with one more.
func (d details) and(name string, value any) details {
	d[name] = value
	return d
}

func accountCreated(a *account, at time.Time) occurrence {
	return occurrence{kind: "ACCOUNT_CREATED", at: at, tell: a.about}
}

func (t *tenant) aboutLogin(a *account) details {
	return a.about().and("loginName", t.box.canaries.In("loginName", a.login))
}

// accountMoved tells where a login has come to, if that is worth telling.
func (t *tenant) accountMoved(a *account, at time.Time) []occurrence {
	switch a.status {
	case Connected:
		return []occurrence{{kind: "ACCOUNT_CONNECTED", at: at, tell: func() details {
			return t.aboutLogin(a)
		}}}
	case Failed:
		return []occurrence{{kind: "ACCOUNT_FAILED", at: at, tell: func() details {
			return t.aboutLogin(a).and("errorCode", a.errorCode).and("errorMessage", a.errorMessage)
		}}}
	case Disconnected:
		return []occurrence{{kind: "ACCOUNT_DISCONNECTED", at: at, tell: a.about}}
	default:
		return nil
	}
}

// about is what the events of a task have in common.
func (t *task) about() details {
	from := t.reference()
	return details{
		"userId": from.UserID, "sourceId": from.SourceID, "sourceType": from.SourceType,
		"providers": []string{from.ProviderID}, "taskType": t.kind,
	}
}

func taskStarted(t *task, at time.Time) occurrence {
	return occurrence{kind: "TASK_STARTED", at: at, tell: t.about}
}

// taskEnded tells how a task ended. The data of the account goes along with it.
func (t *tenant) taskEnded(ended *task, at time.Time) occurrence {
	payload := func() any { return t.sourcePayload(ended) }
	if ended.kind == updateAccount {
		return occurrence{kind: "ACCOUNT_SYNC_TASK_FINISHED", at: at, payload: payload, tell: func() details {
			told := ended.about().and("status", t.outcomeOf(ended)).and("monitorStatus", ended.account.monitor)
			delete(told, "taskType")
			return t.box.behaviour.spellDatapoints(told, t.box.behaviour.names(ended.datapoints))
		}}
	}
	return occurrence{kind: "TASK_FINISHED", at: at, payload: payload, tell: func() details {
		told := ended.about().and("datapoints", t.box.behaviour.names(ended.datapoints))
		if t.box.behaviour.taskFinished == "short" {
			delete(told, "taskType")
			return told
		}
		var code any
		if ended.errorCode != "" {
			code = ended.errorCode
		}
		return told.and("status", t.outcomeOf(ended)).and("errorCode", code)
	}}
}

func (t *tenant) outcomeOf(ended *task) string {
	if ended.errorCode == "" {
		return "SUCCEEDED"
	}
	return t.box.behaviour.failedStatus
}

// newsOf is what is told about the items of a data point: the type when there
// are new ones, the field that names the only one ("" where they are counted),
// and the type when an update brought more ("" where there is none).
var newsOf = map[string]struct{ added, idField, updated string }{
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

// dataArrived tells what the last refresh of an account brought, one occurrence
// per data point.
func (t *tenant) dataArrived(a *account, at time.Time) []occurrence {
	var told []occurrence
	for _, d := range datapoints {
		items := t.box.linker.harvest(t, a, d.path)
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
			told = append(told, itemsAdded(a, d, fresh, at))
		} else if newsOf[d.name].updated != "" {
			told = append(told, itemsUpdated(a, d, fresh, at))
		}
	}
	return told
}

func itemsAdded(a *account, d datapoint, fresh []*item, at time.Time) occurrence {
	news := newsOf[d.name]
	return occurrence{kind: news.added, at: at, tell: func() details {
		if news.idField != "" {
			return a.about().and(news.idField, fresh[0].id)
		}
		return a.about().and("count", len(fresh))
	}}
}

// itemsUpdated tells about an update, with the range of its dates.
func itemsUpdated(a *account, d datapoint, fresh []*item, at time.Time) occurrence {
	return occurrence{kind: newsOf[d.name].updated, at: at, tell: func() details {
		first, last := fresh[0].on, fresh[0].on
		for _, i := range fresh {
			first, last = min(first, i.on), max(last, i.on)
		}
		return a.about().and("count", len(fresh)).and("updatedAt", wire.Timestamp{Time: at}).
			and("updatedFrom", midnight(first)).and("updatedTo", midnight(last))
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
