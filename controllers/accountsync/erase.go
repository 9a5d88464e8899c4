package accountsync

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// erase removes data from the output that must not be kept. It needs only the status and the output, neither Smile nor the
// SmileUser. Data is removed from the status only after it was removed from the output. So if this reconcile is interrupted,
// the next one continues.
func (s *scope) erase(ctx context.Context, run *run) error {
	done, err := s.eraseDue(ctx, run)
	if err != nil {
		return err
	}
	s.found.expired = s.found.expired || done.expired
	s.held = done.held
	return nil
}

// eraseJudged erases data once it is decided what to do with data that only the output has. While some of it is undecided, the
// reconcile ends here: nothing is fetched, and the output is not overwritten.
func (s *scope) eraseJudged(ctx context.Context, run *run) error {
	if err := s.erase(ctx, run); err != nil {
		return err
	}
	if len(s.unjudged) > 0 {
		return s.clockFault(ctx, run.Object)
	}
	return nil
}

// erasure is what an erasure found.
type erasure struct {
	// expired is true if data of an account that is still linked and selected was erased because of its ttl.
	expired bool
	// held is why data whose ttl has passed is kept; nil when there is none.
	held *problem.Problem
}

// erasures are the accounts whose data is erased, and why.
type erasures map[string]cause

type cause struct {
	action auditlog.Action
	reason auditlog.Reason
}

// eraseDue erases what must be erased now.
func (s *scope) eraseDue(ctx context.Context, run *run) (erasure, error) {
	sync := run.Object
	gone, withdrawn := erasures{}, []string{}
	now := s.ttlTime(ctx, run)
	for _, account := range sync.Status.Accounts {
		reason := mustErase(sync, account, now)
		if reason != "" {
			gone[account.ID] = cause{auditlog.ActionErased, reason}
		}
		if reason == auditlog.ReasonWithdrawn {
			withdrawn = append(withdrawn, account.ID)
		}
	}
	maps.Copy(gone, s.refused)
	s.refused = nil
	if err := s.recordWithdrawn(ctx, withdrawn...); err != nil {
		return erasure{}, err
	}
	if len(gone) > 0 {
		if err := s.eraseOutput(ctx, run, gone); err != nil {
			return erasure{}, err
		}
	}
	expired := s.forget(run, gone)
	return erasure{expired: expired, held: s.heldByClock(ctx, run)}, nil
}

// recordWithdrawn adds accounts to the erasure ledger before their data is erased, so that no backup brings the data back.
func (s *scope) recordWithdrawn(ctx context.Context, accounts ...string) error {
	if len(accounts) == 0 {
		return nil
	}
	return s.r.Ledger.Record(ctx, accounts...)
}

// forget removes data from the status that was erased from the output. It reports whether data of an account that is still linked
// and selected was erased because of its ttl.
func (s *scope) forget(run *run, gone erasures) (expired bool) {
	sync := run.Object
	for i, account := range sync.Status.Accounts {
		why, isGone := gone[account.ID]
		if isGone && why.action == auditlog.ActionErased {
			expired = expired || !disconnected(account) && selected(sync, account)
			sync.Status.Accounts[i] = erased(account, run.Now)
		} else if at := expiresAt(sync, account); at.After(run.Now) {
			run.WakeAt(at)
		}
	}
	return expired
}

// eraseOutput writes the output again without some accounts.
func (s *scope) eraseOutput(ctx context.Context, run *run, gone erasures) error {
	sync := run.Object
	objects := dataObjects(sync)
	if len(objects) == 0 {
		s.recordErased(run, gone, auditlog.OutcomeSucceeded)
		return nil
	}
	place := whereToErase(sync, objects[0], gone)
	set, err := s.openSet(ctx, sync, place)
	foreign := isForeign(err)
	if err != nil && !foreign {
		return err
	}
	if set == nil { // it is gone, or belongs to another owner by now: its other objects are deleted
		if err := s.drop(ctx, sync, objects[1:]); err != nil {
			return err
		}
		sync.Status.Output.Others, sync.Status.Output.Fingerprint = nil, ""
		s.recordErased(run, gone, outcomeOf(foreign))
		return nil
	}
	rest, err := s.remaining(ctx, sync, gone)
	if err != nil {
		return err
	}
	asWritten := place == objects[0] && set.Sealed(s.r.Identity, sync.Status.Output.Fingerprint)
	if _, err := s.store(ctx, run, place, rest, s.entriesWithout(run, gone)); err != nil {
		return err
	}
	if !asWritten { // then the remaining data must be fetched again
		sync.Status.Output.Fingerprint = ""
	}
	s.recordErased(run, gone, auditlog.OutcomeSucceeded)
	return nil
}

// whereToErase is the output in the status, or, if data in the output of the spec is refused, that output: then the data moves
// there, without the refused part.
func whereToErase(sync *v1alpha1.SmileAccountSync, current output.Target, gone erasures) output.Target {
	target, wanted := targetOf(sync)
	for _, why := range gone {
		if wanted && why.action == auditlog.ActionNotTakenBack {
			return target
		}
	}
	return current
}

// outcomeOf is the outcome of erasing data from an object that may belong to another owner by now, which is left unchanged.
func outcomeOf(foreign bool) auditlog.Outcome {
	if foreign {
		return auditlog.OutcomeFailed
	}
	return auditlog.OutcomeSucceeded
}

// remaining is the data in the output of accounts that are not erased. Data that is not in the status, but that a seal
// proves, stays until it was decided what to do with it.
func (s *scope) remaining(ctx context.Context, sync *v1alpha1.SmileAccountSync, gone erasures) ([]holding, error) {
	held, err := s.holdings(ctx, sync)
	if err != nil {
		return nil, err
	}
	var rest []holding
	for _, id := range slices.Sorted(maps.Keys(held)) {
		one := held[id]
		entry, ok := entryFor(sync, id)
		_, isGone := gone[id]
		switch {
		case isGone || !one.sealed && !isKept(entry):
			continue
		case !one.sealed:
			one.facts = factsOf(entry)
		case ok && entry.RevokeAcknowledgedAt != nil:
			one.facts.RevokeAcknowledgedAt = entry.RevokeAcknowledgedAt.Time
		}
		rest = append(rest, one)
	}
	return rest, nil
}

// entriesWithout are the entries that the status will have once the data of some accounts is erased.
func (s *scope) entriesWithout(run *run, gone erasures) []v1alpha1.SyncedAccount {
	entries := slices.Clone(run.Object.Status.Accounts)
	for i, entry := range entries {
		if gone[entry.ID].action == auditlog.ActionErased {
			entries[i] = erased(entry, run.Now)
		}
	}
	return entries
}

var whyErased = map[auditlog.Reason]string{
	auditlog.ReasonWithdrawn:   "erased data: its account was disconnected",
	auditlog.ReasonExpired:     "erased data: spec.retention.ttl has passed",
	auditlog.ReasonNotSelected: "erased data: the spec no longer selects its account",
	auditlog.ReasonSpecChanged: "deleted the output with its data: the spec no longer requires it",
}

var whyNotTakenBack = map[auditlog.Reason]string{
	auditlog.ReasonSealMismatch:    "the output's seal is missing, or was made for another output or other data",
	auditlog.ReasonInErasureLedger: "it was erased before, because its account was disconnected",
	auditlog.ReasonNotConnected:    "Smile does not show its account as connected",
	auditlog.ReasonNotSelected:     "the spec does not select its account",
	auditlog.ReasonExpired:         "spec.retention.ttl has passed since it was fetched",
}

// recordErased writes an audit record for each erasure, and an event for each cause.
func (s *scope) recordErased(run *run, gone erasures, outcome auditlog.Outcome) {
	causes := map[cause]bool{}
	for _, id := range slices.Sorted(maps.Keys(gone)) {
		why := gone[id]
		causes[why] = true
		s.audit(run, id, why.action, why.reason, outcome)
	}
	event := func(kind, message string) { run.Event(kind, v1alpha1.ReasonDataErased, "Erase", message) }
	for _, why := range slices.SortedFunc(maps.Keys(causes), byReason) {
		switch {
		case why.action == auditlog.ActionNotTakenBack:
			event(corev1.EventTypeWarning, "erased data that was in the output, but not in the status: "+whyNotTakenBack[why.reason])
		case outcome == auditlog.OutcomeFailed:
			event(corev1.EventTypeWarning, whyErased[why.reason]+"; but the output now belongs to another object, and was left unchanged")
		default:
			event(corev1.EventTypeNormal, whyErased[why.reason])
		}
	}
}
