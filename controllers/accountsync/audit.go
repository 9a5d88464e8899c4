package accountsync

import (
	"cmp"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
)

// audit writes a record of the audit log about an account; about the output as a whole when the id is "".
func (v *visit) audit(p *pass, accountID string, action auditlog.Action, reason auditlog.Reason, outcome auditlog.Outcome) {
	record := auditlog.Record{
		Actor: kind, Object: auditlog.ObjectOf(kind, p.Object), Action: action, Reason: reason, Outcome: outcome,
	}
	if accountID != "" {
		record.Account = v.Identity.Account(accountID)
	}
	if entry, ok := entryFor(p.Object, accountID); ok {
		for _, datapoint := range entry.Datapoints {
			record.Datapoints = append(record.Datapoints, string(datapoint.Type))
		}
	}
	v.Audit.Write(record)
}

// auditFetched writes a record of each account whose data was read, stored or not.
func (v *visit) auditFetched(p *pass) {
	for _, one := range v.fetched {
		record := auditlog.Record{
			Actor: kind, Object: auditlog.ObjectOf(kind, p.Object), Account: v.Identity.Account(one.entry.ID),
			Action: auditlog.ActionFetched, Reason: v.why(p), Outcome: auditlog.OutcomeSucceeded,
		}
		for _, datapoint := range one.entry.Datapoints {
			record.Datapoints = append(record.Datapoints, string(datapoint.Type))
		}
		v.Audit.Write(record)
	}
}

// why is the reason for which data is fetched and written in this pass.
func (v *visit) why(p *pass) auditlog.Reason {
	switch {
	case requested(p.Object):
		return auditlog.ReasonRequested
	case v.broken != nil:
		return auditlog.ReasonRepair
	case p.Object.Status.DataGeneration != 0 && regenerated(p.Object):
		return auditlog.ReasonSpecChanged
	case v.refreshDue(p):
		return auditlog.ReasonRefreshDue
	default:
		return auditlog.ReasonNews
	}
}

func byReason(a, b cause) int {
	return cmp.Or(cmp.Compare(a.action, b.action), cmp.Compare(a.reason, b.reason))
}

func entryFor(sync *v1alpha1.SmileAccountSync, accountID string) (v1alpha1.SyncedAccount, bool) {
	for _, entry := range sync.Status.Accounts {
		if entry.ID == accountID {
			return entry, true
		}
	}
	return v1alpha1.SyncedAccount{}, false
}
