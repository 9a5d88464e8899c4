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
func (s *scope) release(ctx context.Context, run *run) error {
	sync := run.Object
	if !sync.Spec.RevokeAfterFetch {
		return nil
	}
	revoked := false
	for i := range sync.Status.Accounts {
		if !connected(sync.Status.Accounts[i]) || !isKept(sync.Status.Accounts[i]) {
			continue
		}
		if s.postponed(ctx) {
			break
		}
		if err := s.proveWritten(ctx, sync, sync.Status.Accounts[i].ID); err != nil {
			return err
		}
		if err := s.releaseAccount(ctx, run, i); err != nil {
			return errors.Join(err, s.sealReleased(ctx, sync))
		}
		revoked = true
	}
	if !revoked {
		return nil
	}
	s.observed(sync)
	if err := s.erase(ctx, run); err != nil {
		return err
	}
	return s.sealReleased(ctx, sync)
}

// toRelease reports whether an account is still to be revoked although its data is fetched and written.
func toRelease(sync *v1alpha1.SmileAccountSync) bool {
	return sync.Spec.RevokeAfterFetch && slices.ContainsFunc(sync.Status.Accounts, func(a v1alpha1.SyncedAccount) bool {
		return connected(a) && isKept(a)
	})
}

// postponed reports whether revokes wait for the limit of the connection. Then the reconcile reports that after everything
// else.
func (s *scope) postponed(ctx context.Context) bool {
	limit := s.conn.RevokeLimitReached(ctx)
	if limit == nil {
		return false
	}
	if s.plan.problem == nil {
		s.plan.problem = limit.On(v1alpha1.ConditionAccountsConnected)
	}
	return true
}

// restOrRelease ends a reconcile that finds nothing due, unless an account is still to be revoked, or the status shows a hold
// that is over. Neither needs a listing.
func (s *scope) restOrRelease(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	if !toRelease(sync) {
		if s.held == nil && showsHold(sync) {
			return errAsKnown
		}
		return engine.ErrRest
	}
	if limit := s.conn.RevokeLimitReached(ctx); limit != nil {
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
func (s *scope) proveWritten(ctx context.Context, sync *v1alpha1.SmileAccountSync, accountID string) error {
	target, _ := targetOf(sync)
	s.opened = nil
	set, err := s.openSet(ctx, sync, target)
	if err != nil {
		return err
	}
	proven := holds(sync, target) && set.Sealed(s.r.Identity, sync.Status.Output.Fingerprint)
	for _, account := range set.Accounts() {
		if proven && account.ID == accountID {
			return nil
		}
	}
	return problem.NewTransient(v1alpha1.ReasonClusterError,
		"the output does not hold the data that was written: nothing is revoked until it does")
}

// sealReleased records in the seal what Smile has acknowledged.
func (s *scope) sealReleased(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	if err := s.checkOutput(ctx, sync); err != nil || !s.asWritten {
		return err
	}
	return s.reseal(ctx, sync)
}

func (s *scope) releaseAccount(ctx context.Context, run *run, i int) error {
	first := run.Object.Status.Accounts[i].ReleasedAt == nil
	if err := s.conn.TurnToRevoke(ctx); err != nil {
		return err // before the intent is stored
	}
	recorded, err := s.conn.RevokeDeclared(ctx, run.Object.Status.Accounts[i].ID, func(ctx context.Context) error {
		if first {
			run.Object.Status.Accounts[i].ReleasedAt = &metav1.Time{Time: run.Now}
		}
		return run.WriteIntent(ctx)
	})
	if !recorded {
		return err
	}
	entry := &run.Object.Status.Accounts[i] // which the write has read again
	if err != nil && !smile.IsNotFound(err) {
		return s.notReleased(ctx, run, i, first, err)
	}
	if err != nil && first {
		entry.ReleasedAt = nil // the person disconnected first, so the data must be erased
		if err := s.mayLose(ctx, run, *entry); err != nil {
			return err
		}
	}
	entry.ConnectionStatus, entry.ConnectedAt = string(smile.ConnectionDisconnected), nil
	entry.ErrorCode, entry.MonitorStatus = "", ""
	s.acknowledge(run, entry, err == nil)
	return nil
}

// acknowledge records Smile's response to a revoke. Only an acknowledged revoke is sealed, because it proves that it was not
// the end user who disconnected the account.
func (s *scope) acknowledge(run *run, entry *v1alpha1.SyncedAccount, acknowledged bool) {
	if acknowledged {
		entry.RevokeAcknowledgedAt = &metav1.Time{Time: run.Now}
		s.audit(run, entry.ID, auditlog.ActionRevoked, auditlog.ReasonReleased, auditlog.OutcomeSucceeded)
	}
	if entry.ReleasedAt != nil {
		run.Event(corev1.EventTypeNormal, v1alpha1.ReasonReleased, "Revoke", "revoked an account whose data is in the output")
	}
}

// notReleased records that a revoke failed. If it certainly changed nothing, its intent is removed: if the account is
// disconnected later, the end user did it. The removal is stored only over that very intent, because another process may lead by
// now.
func (s *scope) notReleased(ctx context.Context, run *run, i int, first bool, err error) error {
	entry, outcome := &run.Object.Status.Accounts[i], auditlog.OutcomeUnknown
	if smile.NotCreated(err) {
		outcome = auditlog.OutcomeFailed
	}
	s.audit(run, entry.ID, auditlog.ActionRevoked, auditlog.ReasonReleased, outcome)
	if !first || outcome != auditlog.OutcomeFailed {
		return err
	}
	entry.ReleasedAt = nil
	return errors.Join(err, run.WriteIntent(ctx))
}
