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

// write makes the output hold what is kept: what was fetched, and of the other accounts what it holds already.
func (v *visit) write(ctx context.Context, p *pass) (engine.Outcome, error) {
	sync := p.Object
	target, wanted := targetOf(sync)
	if !wanted {
		v.record(sync)
		return engine.Absent, nil
	}
	if !v.changed {
		return engine.Unchanged, nil
	}
	held, lost, err := v.kept(ctx, p)
	if err != nil {
		return engine.Unchanged, err
	}
	if len(held) == 0 && sync.Status.Output == nil && v.opened[target].Content() == nil {
		return engine.False(v1alpha1.ReasonAwaitingEndUser, "there is no data to write yet"), nil
	}
	changed, err := v.store(ctx, p, target, held, recorded(sync.Status.Accounts, v.fetched))
	if err != nil {
		return engine.Unchanged, err
	}
	if changed {
		v.audit(p, "", auditlog.ActionWritten, v.why(p), auditlog.OutcomeSucceeded)
	}
	v.broken = nil
	v.record(sync)
	sync.Status.DataPending = false
	v.tellLost(p, lost)
	if changed && len(held) > 0 {
		p.Event(corev1.EventTypeNormal, v1alpha1.ReasonDataWritten, "Write", "wrote new data of the linked accounts to the output")
	}
	return engine.Succeeded, nil
}

// record says in the status what was fetched, now that it is written.
func (v *visit) record(sync *v1alpha1.SmileAccountSync) {
	sync.Status.Accounts = recorded(sync.Status.Accounts, v.fetched)
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

// kept is the data of all accounts of which some is to be kept, and the accounts whose data is lost: it cannot be fetched
// again and is not in the output any more.
func (v *visit) kept(ctx context.Context, p *pass) (data []holding, lost []v1alpha1.SyncedAccount, err error) {
	for _, one := range v.fetched {
		data = append(data, holding{data: one.data, facts: factsOf(one.entry)})
	}
	rest := namesOf(p.Object.Status.Accounts, func(a v1alpha1.SyncedAccount) bool { return isKept(a) && !v.isFetched(a.ID) })
	if len(rest) == 0 {
		return data, nil, nil
	}
	held, err := v.holdings(ctx, p.Object)
	if err != nil {
		return nil, nil, err
	}
	for i := range p.Object.Status.Accounts {
		entry := &p.Object.Status.Accounts[i]
		if !slices.Contains(rest, entry.ID) {
			continue
		}
		if one, ok := held[entry.ID]; ok && v.adopt(ctx, p, entry, &one) {
			data = append(data, one)
			continue
		}
		if disconnected(*entry) {
			lost = append(lost, *entry)
			*entry = erased(*entry, p.Now)
			entry.LostAt = entry.ErasedAt
		} else {
			*entry = erased(*entry, p.Now)
			entry.FinishedTasks, entry.DataAsOf, entry.ErasedAt = 0, nil, nil
		}
	}
	return data, lost, nil
}

// adopt brings an entry up to the copy of its data that the output holds, which may be an older one than the status knows
// of. It reports false when that must not be kept.
func (v *visit) adopt(ctx context.Context, p *pass, entry *v1alpha1.SyncedAccount, one *holding) bool {
	if one.sealed && !sameFetch(*entry, one.facts) {
		older := takenBack(*entry, one.facts, one.data)
		if mustErase(p.Object, older, v.ttlTime(ctx, p)) != "" {
			return false
		}
		*entry = older
	}
	one.facts = factsOf(*entry)
	return true
}

// tellLost tells that data is lost, with a record for each account.
func (v *visit) tellLost(p *pass, lost []v1alpha1.SyncedAccount) {
	if len(lost) == 0 {
		return
	}
	reason := auditlog.ReasonOutputDamaged
	if v.missing {
		reason = auditlog.ReasonOutputMissing
	}
	for _, account := range lost {
		v.audit(p, account.ID, auditlog.ActionLost, reason, auditlog.OutcomeSucceeded)
	}
	p.Event(corev1.EventTypeWarning, v1alpha1.ReasonDataLost, "Write",
		"data of an account that Smile has no longer is not in the output any more and cannot be fetched again")
}

var errLost = problem.NewInvalid(v1alpha1.ReasonDataLost,
	"data of an account that Smile has no longer is lost, as the output was deleted or changed: restore the output from a backup")

// conclude ends the pass: with what the data still lacks, if anything.
func (v *visit) conclude(_ context.Context, p *pass) error {
	v.heeded.done(client.ObjectKeyFromObject(p.Object), v.heeding)
	status := &p.Object.Status
	status.LastHandledRequest, status.DataGeneration = engine.Echo(p.Object, v1alpha1.AnnotationRequestedAt), p.Object.Generation
	status.DataSpec, status.DataPending = dataSpecOf(p.Object), false
	if v.trouble != nil {
		return v.trouble
	}
	if v.held != nil {
		return v.held
	}
	if findLost(p.Object, p.Now) {
		return errLost
	}
	return nil
}

// findLost reports whether data is missed, and stops missing what could not be kept any more.
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

// untilNextLook says when to look again at an account whose data is still being gathered.
func untilNextLook(p *pass, entry *v1alpha1.SyncedAccount) time.Duration {
	if entry.ConnectedAt == nil {
		return promise
	}
	next := schedule.AfterActivity(entry.ConnectedAt.Time, p.Now).Next
	if next.IsZero() {
		return promise
	}
	if overdue := entry.ConnectedAt.Add(promise); overdue.After(p.Now) && overdue.Before(next) {
		next = overdue
	}
	return max(next.Sub(p.Now), time.Second)
}
