package accountsync

import (
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// Every reconcile compares the output with what was written, without a call to Smile. Damage is repaired in the same reconcile.
// While it cannot be repaired, Ready shows it.

var errDamaged = problem.NewTransient(v1alpha1.ReasonOutputDamaged,
	"the output was deleted or changed since it was written, or could not be written completely").On(v1alpha1.ConditionOutputReady)

// inspect compares the output with what was written. It fails only if the output cannot be read; the following phases handle
// what it finds. It also ends the reconcile of a ConfigMap that would hold more than named fields, before Smile is called.
// If that ConfigMap exists already, data may have to be erased from it first: then fetch ends the reconcile.
func (s *scope) inspect(ctx context.Context, run *run) error {
	sync := run.Object
	if isUnnamed(sync) && sync.Status.Output == nil {
		return errUnnamedFields
	}
	target, wanted := targetOf(sync)
	if !wanted {
		return s.dropOutput(ctx, run)
	}
	if s.spared = s.r.Checked && run.First && !run.Resumed && isAtRest(sync); s.spared {
		return nil
	}
	// An output is compared even if there is no SmileUser.
	if err := client.IgnoreNotFound(s.findUserObject(ctx, sync)); err != nil {
		return err
	}
	return s.examine(ctx, sync, target)
}

// examine records what is wrong with the output, and updates its owner, metadata and seal.
func (s *scope) examine(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) error {
	err := s.checkOutput(ctx, sync)
	if isForeign(err) {
		if holds(sync, target) || s.userID() != "" {
			errors.As(err, &s.broken)
		}
		return nil
	}
	if err != nil {
		return err
	}
	s.missing = s.opened[target].Content() == nil
	if err := s.recallRevokes(ctx, sync); err != nil {
		return err
	}
	if s.undecided, err = s.isUndecided(ctx, sync); err != nil {
		return err
	}
	s.plan.writeIf(s.undecided)
	if s.asWritten {
		return s.maintain(ctx, sync, target)
	}
	damaged := holds(sync, target)
	if damaged {
		s.broken = errDamaged
	}
	s.plan.writeIf(damaged || isForgotten(sync, target))
	return nil
}

// isForgotten reports whether the status shows data, but not the output that the spec asks for. Then nothing checks that
// output.
func isForgotten(sync *v1alpha1.SmileAccountSync, target output.Target) bool {
	return !holds(sync, target) && slices.ContainsFunc(sync.Status.Accounts, isKept)
}

// isAtRest reports whether the status shows a complete output, and nothing else is requested. After a start the outputs of such
// syncs are not all read at once: the output checks read them, evenly spread.
func isAtRest(sync *v1alpha1.SmileAccountSync) bool {
	target, _ := targetOf(sync)
	return holds(sync, target) && !outdated(sync) && !regenerated(sync) && !requested(sync) && !sync.Status.DataPending &&
		meta.IsStatusConditionTrue(sync.Status.Conditions, v1alpha1.ConditionReady)
}

// inspectFirst ends a reconcile that has something to do but has not compared the output. Another reconcile follows at once and
// compares it before the status is updated from Smile, because the seal may be more recent than a status that was restored.
func (s *scope) inspectFirst(run *run) error {
	if !s.spared {
		return nil
	}
	s.again = true
	run.WakeAt(run.Now)
	return engine.ErrRest
}

// findUserObject reads the SmileUser once in a reconcile, so that all phases use the same one.
func (s *scope) findUserObject(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	if s.user != nil || s.userErr != nil {
		return s.userErr
	}
	user, err := s.r.userOf(ctx, sync)
	if err != nil {
		s.userErr = err
		return err
	}
	s.user = user
	return nil
}

// maintain updates owner, metadata and seal of an output whose content is as it was written. It makes no call to Smile.
func (s *scope) maintain(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) error {
	if err := s.replaceImmutable(ctx, sync, target); err != nil {
		return err
	}
	resealed := !s.undecided && s.renewSeal(sync, target)
	if s.hasMetadata && !resealed {
		return nil
	}
	for n := range s.formerSet(target) {
		stored := s.opened[target.Part(n+1)]
		if _, err := s.r.Outputs.Write(ctx, sync, stored, stored.Content(), s.r.templateOf(sync)); err != nil {
			return err
		}
	}
	s.hasMetadata = true
	return nil
}

// checkOutput finds out whether the output is as it was written, and whether it has its owner and the template's metadata.
// An object of another owner is an error.
func (s *scope) checkOutput(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	target, wanted := targetOf(sync)
	if !wanted {
		return nil
	}
	set, err := s.openSet(ctx, sync, target)
	if err != nil {
		return err
	}
	for _, one := range dataObjects(sync) {
		// An object that cannot be opened now is not overwritten later.
		_ = s.open(ctx, sync, one)
	}
	s.asWritten = holds(sync, target) && set.Sealed(s.r.Identity, sync.Status.Output.Fingerprint)
	s.hasMetadata, err = s.carriesMetadata(sync, target, len(set))
	return err
}

// replaceImmutable replaces objects of an output that somebody made immutable. It does not if that could lose data that Smile
// no longer has: such data stays immutable until it must be erased.
func (s *scope) replaceImmutable(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) error {
	irreplaceable := func(a v1alpha1.SyncedAccount) bool { return isKept(a) && !connected(a) && !hasData(a) }
	if slices.ContainsFunc(sync.Status.Accounts, irreplaceable) {
		return nil
	}
	for n := range s.formerSet(target) {
		if stored := s.opened[target.Part(n+1)]; stored.Immutable() {
			if err := s.r.Outputs.Thaw(ctx, sync, stored, s.r.templateOf(sync)); err != nil {
				return err
			}
		}
	}
	return nil
}

// carriesMetadata reports whether the objects of an output have their owner and the template's metadata.
func (s *scope) carriesMetadata(sync *v1alpha1.SmileAccountSync, target output.Target, objects int) (bool, error) {
	for n := range objects {
		ok, err := s.r.Outputs.AsDeclared(sync, s.opened[target.Part(n+1)], s.r.templateOf(sync))
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// explain returns the error with which the reconcile ends. By default it reports that data is kept because the clock is
// unconfirmed. A broken output is always reported, whatever else is wrong.
func (s *scope) explain(err error) error {
	if s.held != nil && !s.again && errors.Is(err, engine.ErrRest) {
		err = s.held
	}
	switch {
	case err == nil || s.broken == nil || errors.Is(err, context.Canceled) || apierrors.IsConflict(err):
		return err
	case errors.Is(err, engine.ErrRest):
		return s.broken
	default:
		return brokenBecause(s.broken, problem.Classify(err))
	}
}

// brokenBecause is the problem of a broken output that cannot be repaired because of another problem. If the output belongs to
// another owner, the other problem is shown as it is, unless problems of its class are not shown.
func brokenBecause(broken, cause *problem.Problem) *problem.Problem {
	if broken == cause {
		return cause
	}
	if broken.Reason != v1alpha1.ReasonOutputDamaged {
		switch cause.Class {
		case problem.Throttled:
			return broken
		case problem.Transient:
			return broken.Because(cause)
		default:
			return cause
		}
	}
	shown := *cause
	shown.Cause = cause
	shown.Condition, shown.AtOnce, shown.Ordinary = broken.Condition, true, false
	shown.Reason = broken.Reason
	shown.Message = broken.Message + "; it cannot be repaired yet (" + cause.Reason + "): " + cause.Message
	return &shown
}
