package accountsync

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/schedule"
)

// write writes the data that is kept to the output: the data that was fetched, and the data of other accounts that it holds
// already.
func (s *scope) write(ctx context.Context, run *run) (err error) {
	s.found.output, err = s.writeOutput(ctx, run)
	return err
}

// writeOutput writes the output if that is planned, and returns what became of it.
func (s *scope) writeOutput(ctx context.Context, run *run) (outputState, error) {
	sync := run.Object
	target, wanted := targetOf(sync)
	if !wanted {
		s.record(sync)
		return outputUnwanted, nil
	}
	if !s.plan.write {
		return s.unchanged(), nil
	}
	held, lost, err := s.kept(ctx, run)
	if err != nil {
		return outputUnchanged, err
	}
	if len(held) == 0 && sync.Status.Output == nil && s.opened[target].Content() == nil {
		return outputEmpty, nil
	}
	changed, err := s.store(ctx, run, target, held, recorded(sync.Status.Accounts, s.fetched))
	if err != nil {
		return outputUnchanged, err
	}
	if changed {
		s.audit(run, "", auditlog.ActionWritten, s.why(run), auditlog.OutcomeSucceeded)
	}
	s.broken = nil
	s.record(sync)
	sync.Status.DataPending = false
	s.recordLost(run, lost)
	if changed && len(held) > 0 {
		run.Event(corev1.EventTypeNormal, v1alpha1.ReasonDataWritten, "Write", "wrote new data of the linked accounts to the output")
	}
	return outputWritten, nil
}

// unchanged is the state of an output that needs no write. The last process may have written it, and ended before it stored
// OutputReady.
func (s *scope) unchanged() outputState {
	if s.asWritten {
		return outputWritten
	}
	return outputUnchanged
}

// record stores in the status what was fetched, now that it is written.
func (s *scope) record(sync *v1alpha1.SmileAccountSync) {
	sync.Status.Accounts = recorded(sync.Status.Accounts, s.fetched)
}

func recorded(entries []v1alpha1.SyncedAccount, all []fetched) []v1alpha1.SyncedAccount {
	entries = slices.Clone(entries)
	for _, one := range all {
		i := slices.IndexFunc(entries, func(a v1alpha1.SyncedAccount) bool { return a.ID == one.entry.ID })
		if i >= 0 {
			entries[i] = one.entry
		}
	}
	return entries
}

// kept returns the data that is to be kept, and the accounts whose data is lost: it is no longer in the output and cannot be
// fetched again.
func (s *scope) kept(ctx context.Context, run *run) (data []holding, lost []v1alpha1.SyncedAccount, err error) {
	for _, one := range s.fetched {
		data = append(data, holding{data: one.data, facts: factsOf(one.entry)})
	}
	rest := namesOf(run.Object.Status.Accounts, func(a v1alpha1.SyncedAccount) bool { return isKept(a) && !s.isFetched(a.ID) })
	if len(rest) == 0 {
		return data, nil, nil
	}
	held, err := s.holdings(ctx, run.Object)
	if err != nil {
		return nil, nil, err
	}
	for i := range run.Object.Status.Accounts {
		entry := &run.Object.Status.Accounts[i]
		if !slices.Contains(rest, entry.ID) {
			continue
		}
		if one, ok := held[entry.ID]; ok && s.adopt(ctx, run, entry, &one) {
			data = append(data, one)
			continue
		}
		if disconnected(*entry) {
			lost = append(lost, *entry)
			*entry = erased(*entry, run.Now)
			entry.LostAt = entry.ErasedAt
		} else {
			*entry = erased(*entry, run.Now)
			entry.FinishedTasks, entry.DataAsOf, entry.ErasedAt = 0, nil, nil
		}
	}
	return data, lost, nil
}

// adopt updates an entry from the copy of its data in the output, which may be older than the status says. It reports false
// if the copy must not be kept.
func (s *scope) adopt(ctx context.Context, run *run, entry *v1alpha1.SyncedAccount, one *holding) bool {
	if one.sealed && !sameFetch(*entry, one.facts) {
		older := takenBack(*entry, one.facts, one.data)
		if mustErase(run.Object, older, s.ttlTime(ctx, run)) != "" {
			return false
		}
		*entry = older
	}
	one.facts = factsOf(*entry)
	return true
}

// recordLost records an event about lost data, and an audit record for each account.
func (s *scope) recordLost(run *run, lost []v1alpha1.SyncedAccount) {
	if len(lost) == 0 {
		return
	}
	reason := auditlog.ReasonOutputDamaged
	if s.missing {
		reason = auditlog.ReasonOutputMissing
	}
	for _, account := range lost {
		s.audit(run, account.ID, auditlog.ActionLost, reason, auditlog.OutcomeSucceeded)
	}
	run.Event(corev1.EventTypeWarning, v1alpha1.ReasonDataLost, "Write",
		"data of an account is no longer in the output, and cannot be fetched again because Smile no longer has it")
}

var errLost = problem.NewInvalid(v1alpha1.ReasonDataLost,
	"data of an account is lost: the output was deleted or changed, and Smile no longer has the data; "+
		"restore the output from a backup").
	On(v1alpha1.ConditionDataSynced)

// finish records that a reconcile has done all that was due, and returns the problem that remains; nil when there is none.
func (s *scope) finish(run *run) error {
	s.r.processed.done(client.ObjectKeyFromObject(run.Object), s.processing)
	status := &run.Object.Status
	status.LastHandledRequest, status.DataGeneration = engine.Echo(run.Object, v1alpha1.AnnotationRequestedAt), run.Object.Generation
	status.DataSpec, status.DataPending = dataSpecOf(run.Object), false
	switch {
	case s.plan.problem != nil && s.plan.problem.Condition == "":
		return s.plan.problem.On(v1alpha1.ConditionDataSynced)
	case s.plan.problem != nil:
		return s.plan.problem
	case s.held != nil:
		return s.held
	case findLost(run.Object, run.Now):
		return errLost
	default:
		return nil
	}
}

// findLost reports whether data is lost, and drops the mark of lost data that could no longer be kept.
func findLost(sync *v1alpha1.SmileAccountSync, now time.Time) bool {
	missed := false
	for i, account := range sync.Status.Accounts {
		if isLost(sync, account, now) {
			missed = true
		} else {
			sync.Status.Accounts[i].LostAt = nil
		}
	}
	return missed
}

// untilNextRefresh is when to read the tasks of an account again whose data is still being gathered.
func untilNextRefresh(run *run, entry *v1alpha1.SyncedAccount) time.Duration {
	if entry.ConnectedAt == nil {
		return promise
	}
	next := schedule.AfterActivity(entry.ConnectedAt.Time, run.Now).Next
	if next.IsZero() {
		return promise
	}
	if overdue := entry.ConnectedAt.Add(promise); overdue.After(run.Now) && overdue.Before(next) {
		next = overdue
	}
	return max(next.Sub(run.Now), time.Second)
}
