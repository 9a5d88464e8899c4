package accountsync

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// release revokes the accounts whose data is in the output, if the spec asks for that. A revoke cannot be undone, so each
// step is stored before the next: the data is written; it is read back; the status records the revoke; and only then is the
// call sent. A process that ends between two steps is continued from the status.
func (v *visit) release(ctx context.Context, p *pass) error {
	sync := p.Object
	if !sync.Spec.RevokeAfterFetch {
		return nil
	}
	before := sync.Status.ConnectedAccounts
	for i := range sync.Status.Accounts {
		if !connected(sync.Status.Accounts[i]) || !isKept(sync.Status.Accounts[i]) {
			continue
		}
		if v.postponed(ctx) {
			break
		}
		if err := v.proveWritten(ctx, sync, sync.Status.Accounts[i].ID); err != nil {
			return err
		}
		if err := v.releaseAccount(ctx, p, i); err != nil {
			return errors.Join(err, v.sealReleased(ctx, sync))
		}
	}
	sync.Status.ConnectedAccounts = int32(len(namesOf(sync.Status.Accounts, connected)))
	if sync.Status.ConnectedAccounts == before {
		return nil
	}
	found := connectednessOf(sync.Status.Accounts)
	p.Set(v1alpha1.ConditionAccountsConnected, found.outcome())
	if sync.Status.ConnectedAccounts == 0 {
		p.SetReady(found.reason, found.message)
	}
	if err := v.eraseDoomed(ctx, p); err != nil {
		return err
	}
	return v.sealReleased(ctx, sync)
}

// toRelease reports whether an account is still to be revoked although its data is fetched and written.
func toRelease(sync *v1alpha1.SmileAccountSync) bool {
	return sync.Spec.RevokeAfterFetch && slices.ContainsFunc(sync.Status.Accounts, func(a v1alpha1.SyncedAccount) bool {
		return connected(a) && isKept(a)
	})
}

// postponed reports whether revokes wait for the limit of the connection. Then the reconcile reports that after everything else.
func (v *visit) postponed(ctx context.Context) bool {
	limit := v.conn.RevokeLimitReached(ctx)
	if limit == nil {
		return false
	}
	if v.trouble == nil {
		v.trouble = limit.On(v1alpha1.ConditionAccountsConnected)
	}
	return true
}

// restOrRelease ends a reconcile that finds nothing due, unless an account is still to be revoked, or the status shows a hold
// that is over. Neither needs a listing.
func (v *visit) restOrRelease(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	if !toRelease(sync) {
		if v.held == nil && showsHold(sync) {
			return errAsKnown
		}
		return engine.ErrRest
	}
	if limit := v.conn.RevokeLimitReached(ctx); limit != nil {
		return limit
	}
	return errAsKnown
}

// showsHold reports whether the status says that an erasure is held by the clock, or a revoke by a limit.
func showsHold(sync *v1alpha1.SmileAccountSync) bool {
	reasons := []string{v1alpha1.ReasonClockSkew, v1alpha1.ReasonClockUnconfirmed, v1alpha1.ReasonRevokeLimitReached}
	return slices.Contains(reasons, readyReason(sync))
}

func readyReason(sync *v1alpha1.SmileAccountSync) string {
	if ready := meta.FindStatusCondition(sync.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason
	}
	return ""
}

// proveWritten reads the output back: it must be what was written, and hold the account.
func (v *visit) proveWritten(ctx context.Context, sync *v1alpha1.SmileAccountSync, accountID string) error {
	target, _ := targetOf(sync)
	v.opened = nil
	set, err := v.openSet(ctx, sync, target)
	if err != nil {
		return err
	}
	proven := holds(sync, target) && set.Sealed(v.Identity, sync.Status.Output.Fingerprint)
	for _, account := range set.Accounts() {
		if proven && account.ID == accountID {
			return nil
		}
	}
	return problem.NewTransient(v1alpha1.ReasonClusterError, "the output does not hold what was written: nothing is revoked until it does")
}

// sealReleased records in the seal what Smile has acknowledged.
func (v *visit) sealReleased(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	if err := v.checkOutput(ctx, sync); err != nil || !v.asWritten {
		return err
	}
	return v.reseal(ctx, sync)
}

func (v *visit) releaseAccount(ctx context.Context, p *pass, i int) error {
	first := p.Object.Status.Accounts[i].ReleasedAt == nil
	if err := v.conn.Turn(smile.WithLane(ctx, smile.LaneRevoke)); err != nil {
		return err // before the intent is stored
	}
	recorded, err := v.conn.RevokeDeclared(ctx, p.Object.Status.Accounts[i].ID, func(ctx context.Context) error {
		if first {
			p.Object.Status.Accounts[i].ReleasedAt = &metav1.Time{Time: p.Now}
		}
		return p.WriteIntent(ctx)
	})
	if !recorded {
		return err
	}
	entry := &p.Object.Status.Accounts[i] // which the write has read again
	if err != nil && !smile.IsNotFound(err) {
		return v.notReleased(ctx, p, i, first, err)
	}
	if err != nil && first {
		entry.ReleasedAt = nil // the person was faster: it is their disconnection, and their data goes
		if err := v.mayLose(ctx, p, *entry); err != nil {
			return err
		}
	}
	entry.ConnectionStatus, entry.ErrorCode, entry.MonitorStatus, entry.ConnectedAt = string(smile.ConnectionDisconnected), "", "", nil
	v.acknowledge(p, entry, err == nil)
	return nil
}

// acknowledge records Smile's response to a revoke. Only an acknowledged revoke is sealed, because it proves that it was not the
// end user who disconnected the account.
func (v *visit) acknowledge(p *pass, entry *v1alpha1.SyncedAccount, acknowledged bool) {
	if acknowledged {
		entry.RevokeAcknowledgedAt = &metav1.Time{Time: p.Now}
		v.audit(p, entry.ID, auditlog.ActionRevoked, auditlog.ReasonReleased, auditlog.OutcomeSucceeded)
	}
	if entry.ReleasedAt != nil {
		p.Event(corev1.EventTypeNormal, v1alpha1.ReasonReleased, "Revoke", "revoked an account whose data is in the output")
	}
}

// notReleased records that a revoke failed. If it certainly changed nothing, its intent is removed: if the account ends now, the
// end user ended it. The removal is stored only over that very intent, because another process may lead by now.
func (v *visit) notReleased(ctx context.Context, p *pass, i int, first bool, err error) error {
	entry, outcome := &p.Object.Status.Accounts[i], auditlog.OutcomeUnknown
	if smile.NotCreated(err) {
		outcome = auditlog.OutcomeFailed
	}
	v.audit(p, entry.ID, auditlog.ActionRevoked, auditlog.ReasonReleased, outcome)
	if !first || outcome != auditlog.OutcomeFailed {
		return err
	}
	entry.ReleasedAt = nil
	return errors.Join(err, p.WriteIntent(ctx))
}
