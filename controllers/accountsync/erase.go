package accountsync

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// erase takes out of the output what must not be kept any longer. It needs nothing but the status and the output
// itself: neither Smile nor the person's object have to be there for it. The status forgets the data only after the
// output has, so whatever comes of this pass, the next one knows what is left to do.
func (v *visit) erase(ctx context.Context, p *pass) error {
	return v.eraseDoomed(ctx, p)
}

// eraseJudged erases once it was decided about what the output holds. While some of that is undecided, the reconcile ends here:
// nothing is fetched for the output or written over it.
func (v *visit) eraseJudged(ctx context.Context, p *pass) error {
	if err := v.erase(ctx, p); err != nil {
		return err
	}
	if len(v.unjudged) > 0 {
		return v.clockFault(ctx, p.Object)
	}
	return nil
}

// erasures are the accounts whose data is erased, and why.
type erasures map[string]cause

type cause struct {
	action auditlog.Action
	reason auditlog.Reason
}

func (v *visit) eraseDoomed(ctx context.Context, p *pass) error {
	sync := p.Object
	gone, withdrawn := erasures{}, []string{}
	now := v.ttlTime(ctx, p)
	for _, account := range sync.Status.Accounts {
		reason := mustErase(sync, account, now)
		if reason != "" {
			gone[account.ID] = cause{auditlog.ActionErased, reason}
		}
		if reason == auditlog.ReasonWithdrawn {
			withdrawn = append(withdrawn, account.ID)
		}
	}
	maps.Copy(gone, v.refused)
	v.refused = nil
	if err := v.recordWithdrawn(ctx, withdrawn...); err != nil {
		return err
	}
	if len(gone) > 0 {
		if err := v.eraseOutput(ctx, p, gone); err != nil {
			return err
		}
	}
	v.forget(p, gone)
	v.held = v.heldByClock(ctx, p)
	return nil
}

// recordWithdrawn puts accounts into the erasure ledger, before anything of them is erased: no backup brings them back.
func (v *visit) recordWithdrawn(ctx context.Context, accounts ...string) error {
	if len(accounts) == 0 {
		return nil
	}
	return v.Ledger.Record(ctx, accounts...)
}

// forget brings the status up to an erasure from the output.
func (v *visit) forget(p *pass, gone erasures) {
	sync, ended := p.Object, false
	for i, account := range sync.Status.Accounts {
		why, isGone := gone[account.ID]
		if isGone && why.action == auditlog.ActionErased {
			ended = ended || !disconnected(account) && selected(sync, account)
			sync.Status.Accounts[i] = erased(account, p.Now)
		} else if at := expiresAt(sync, account); at.After(p.Now) {
			p.WakeAt(at)
		}
	}
	if ended {
		p.Set(v1alpha1.ConditionDataSynced, engine.False(v1alpha1.ReasonDataExpired, dataExpired))
	}
}

// eraseOutput writes the output again without some accounts.
func (v *visit) eraseOutput(ctx context.Context, p *pass, gone erasures) error {
	sync := p.Object
	known := knownObjects(sync)
	if len(known) == 0 {
		v.tellErased(p, gone, auditlog.OutcomeSucceeded)
		return nil
	}
	place := whereToErase(sync, known[0], gone)
	set, err := v.openSet(ctx, sync, place)
	foreign := problem.Is(err, v1alpha1.ReasonOutputConflict) || problem.Is(err, v1alpha1.ReasonProgressing)
	if err != nil && !foreign {
		return err
	}
	if set == nil { // it is gone, or somebody else's by now: what belonged to it goes as well
		if err := v.drop(ctx, sync, known[1:]); err != nil {
			return err
		}
		sync.Status.Output.Others, sync.Status.Output.Fingerprint = nil, ""
		v.tellErased(p, gone, outcomeOf(foreign))
		return nil
	}
	rest, err := v.remaining(ctx, sync, gone)
	if err != nil {
		return err
	}
	asWritten := place == known[0] && set.Sealed(v.Identity, sync.Status.Output.Fingerprint)
	if _, err := v.store(ctx, p, place, rest, v.remembers(p, gone)); err != nil {
		return err
	}
	if !asWritten { // then what is left of it is to be fetched again
		sync.Status.Output.Fingerprint = ""
	}
	v.tellErased(p, gone, auditlog.OutcomeSucceeded)
	return nil
}

// whereToErase is the output as the status knows it, or where the spec wants it if that is where copies are refused: then the
// output moves there first, without them.
func whereToErase(sync *v1alpha1.SmileAccountSync, known output.Target, gone erasures) output.Target {
	target, wanted := targetOf(sync)
	for _, why := range gone {
		if wanted && why.action == auditlog.ActionNotTakenBack {
			return target
		}
	}
	return known
}

// outcomeOf is that of erasing data from an object that may belong to somebody else by now, who keeps it.
func outcomeOf(foreign bool) auditlog.Outcome {
	if foreign {
		return auditlog.OutcomeFailed
	}
	return auditlog.OutcomeSucceeded
}

// remaining is the data that the output holds of accounts that are not gone. What the status does not know, and a seal
// proves, stays until it has been decided about.
func (v *visit) remaining(ctx context.Context, sync *v1alpha1.SmileAccountSync, gone erasures) ([]holding, error) {
	held, err := v.holdings(ctx, sync)
	if err != nil {
		return nil, err
	}
	var rest []holding
	for _, id := range slices.Sorted(maps.Keys(held)) {
		one := held[id]
		entry, known := entryFor(sync, id)
		_, isGone := gone[id]
		switch {
		case isGone || !one.sealed && !isKept(entry):
			continue
		case !one.sealed:
			one.facts = factsOf(entry)
		case known && entry.RevokeAcknowledgedAt != nil:
			one.facts.RevokeAcknowledgedAt = entry.RevokeAcknowledgedAt.Time
		}
		rest = append(rest, one)
	}
	return rest, nil
}

// remembers are the entries that the status will have once the data of some accounts is erased.
func (v *visit) remembers(p *pass, gone erasures) []v1alpha1.SyncedAccount {
	entries := slices.Clone(p.Object.Status.Accounts)
	for i, entry := range entries {
		if gone[entry.ID].action == auditlog.ActionErased {
			entries[i] = erased(entry, p.Now)
		}
	}
	return entries
}

var whyErased = map[auditlog.Reason]string{
	auditlog.ReasonWithdrawn:   "erased data: its account was disconnected",
	auditlog.ReasonExpired:     "erased data: spec.retention.ttl has passed",
	auditlog.ReasonNotSelected: "erased data: the spec no longer covers its account",
	auditlog.ReasonSpecChanged: "deleted the output with its data: the spec no longer asks for it",
}

var whyNotTakenBack = map[auditlog.Reason]string{
	auditlog.ReasonSealMismatch:    "the output's seal is missing, or was made for another output or other data",
	auditlog.ReasonInErasureLedger: "it was erased before, because its account was disconnected",
	auditlog.ReasonNotConnected:    "Smile does not show its account as connected",
	auditlog.ReasonNotSelected:     "the spec does not cover its account",
	auditlog.ReasonExpired:         "spec.retention.ttl has passed since it was fetched",
}

// tellErased gives each erasure its audit record, and each cause its event.
func (v *visit) tellErased(p *pass, gone erasures, outcome auditlog.Outcome) {
	causes := map[cause]bool{}
	for _, id := range slices.Sorted(maps.Keys(gone)) {
		why := gone[id]
		causes[why] = true
		v.audit(p, id, why.action, why.reason, outcome)
	}
	tell := func(kind, message string) { p.Event(kind, v1alpha1.ReasonDataErased, "Erase", message) }
	for _, why := range slices.SortedFunc(maps.Keys(causes), byReason) {
		switch {
		case why.action == auditlog.ActionNotTakenBack:
			tell(corev1.EventTypeWarning, "erased data that the output held and the status did not: "+whyNotTakenBack[why.reason])
		case outcome == auditlog.OutcomeFailed:
			tell(corev1.EventTypeWarning, whyErased[why.reason]+"; but its output belongs to another object by now, which keeps what it holds")
		default:
			tell(corev1.EventTypeNormal, whyErased[why.reason])
		}
	}
}
