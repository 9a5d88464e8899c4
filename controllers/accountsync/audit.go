package accountsync

import (
	"cmp"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
)

// audit writes a record to the audit log: about an account, or about the whole output if the id is "".
func (s *scope) audit(run *run, accountID string, action auditlog.Action, reason auditlog.Reason, outcome auditlog.Outcome) {
	record := auditlog.Record{
		Actor: kind, Object: auditlog.ObjectOf(kind, run.Object), Action: action, Reason: reason, Outcome: outcome,
	}
	if accountID != "" {
		record.Account = s.r.Identity.Account(accountID)
	}
	if entry, ok := entryFor(run.Object, accountID); ok {
		for _, datapoint := range entry.Datapoints {
			record.Datapoints = append(record.Datapoints, string(datapoint.Type))
		}
	}
	s.r.Audit.Write(record)
}

// auditFetched writes a record of each account whose data was read, stored or not.
func (s *scope) auditFetched(run *run) {
	for _, one := range s.fetched {
		record := auditlog.Record{
			Actor: kind, Object: auditlog.ObjectOf(kind, run.Object), Account: s.r.Identity.Account(one.entry.ID),
			Action: auditlog.ActionFetched, Reason: s.why(run), Outcome: auditlog.OutcomeSucceeded,
		}
		for _, datapoint := range one.entry.Datapoints {
			record.Datapoints = append(record.Datapoints, string(datapoint.Type))
		}
		s.r.Audit.Write(record)
	}
}

// why is the reason for which data is fetched and written in this reconcile.
func (s *scope) why(run *run) auditlog.Reason {
	switch {
	case requested(run.Object):
		return auditlog.ReasonRequested
	case s.broken != nil:
		return auditlog.ReasonRepair
	case run.Object.Status.DataGeneration != 0 && regenerated(run.Object):
		return auditlog.ReasonSpecChanged
	case s.refreshDue(run):
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
