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

// Every pass compares the output with what was written, without a call to Smile. What is found is repaired in the same pass;
// while that cannot be done, Ready says so.

var errDamaged = problem.NewTransient(v1alpha1.ReasonOutputDamaged,
	"the output was deleted or changed since it was written, or could not be written completely").On(v1alpha1.ConditionOutputReady)

// inspect compares the output with what was written. It fails only when it cannot be read: what it finds is for the phases
// that follow.
func (v *visit) inspect(ctx context.Context, p *pass) error {
	sync := p.Object
	target, wanted := targetOf(sync)
	if !wanted {
		return v.dropOutput(ctx, p)
	}
	if v.spared = v.Checked && p.First && !p.Resumed && isAtRest(sync); v.spared {
		return nil
	}
	// An output is compared without a person too.
	if err := client.IgnoreNotFound(v.lookUpUser(ctx, sync)); err != nil {
		return err
	}
	return v.examine(ctx, sync, target)
}

// examine notes what is wrong with the output, and brings up to date what is around its content.
func (v *visit) examine(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) error {
	err := v.checkOutput(ctx, sync)
	if isForeign(err) {
		if holds(sync, target) || v.userID() != "" {
			errors.As(err, &v.broken)
		}
		return nil
	}
	if err != nil {
		return err
	}
	v.missing = v.opened[target].Content() == nil
	if err := v.recallRevokes(ctx, sync); err != nil {
		return err
	}
	if v.undecided, err = v.isUndecided(ctx, sync); err != nil {
		return err
	}
	v.change(v.undecided)
	if v.asWritten {
		return v.tend(ctx, sync, target)
	}
	damaged := holds(sync, target)
	if damaged {
		v.broken = errDamaged
	}
	v.change(damaged || isForgotten(sync, target))
	return nil
}

// isForgotten reports whether the status knows of data, but not of the output that the spec wants it in: then nothing looks
// after that.
func isForgotten(sync *v1alpha1.SmileAccountSync, target output.Target) bool {
	return !holds(sync, target) && slices.ContainsFunc(sync.Status.Accounts, isKept)
}

// isAtRest reports whether the status says that the output is complete, and asks for nothing. After a start the outputs of
// such syncs are not all read at once: the output checks do that, evenly paced.
func isAtRest(sync *v1alpha1.SmileAccountSync) bool {
	target, _ := targetOf(sync)
	return holds(sync, target) && !outdated(sync) && !regenerated(sync) && !requested(sync) && !sync.Status.DataPending &&
		meta.IsStatusConditionTrue(sync.Status.Conditions, v1alpha1.ConditionReady)
}

// inspectFirst ends a pass that has something to do and has not compared the output yet. The next one, at once, does, before
// the status takes in what Smile shows: the seal may know better than a status that was restored.
func (v *visit) inspectFirst(p *pass) error {
	if !v.spared {
		return nil
	}
	v.again = true
	p.WakeAt(p.Now)
	return engine.ErrRest
}

// lookUpUser reads the person, once in a pass: no phase may act on a person whom an earlier one did not know when it judged
// the output.
func (v *visit) lookUpUser(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	if v.user != nil || v.userErr != nil {
		return v.userErr
	}
	user, err := v.userOf(ctx, sync)
	if err != nil {
		v.userErr = err
		return err
	}
	v.user = user
	return nil
}

// tend brings up to date what is around the content of an output that is as it was written: owner, metadata and seal. It
// calls nobody.
func (v *visit) tend(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) error {
	if err := v.thaw(ctx, sync, target); err != nil {
		return err
	}
	resealed := !v.undecided && v.renewSeal(sync, target)
	if v.dressed && !resealed {
		return nil
	}
	for n := range v.formerSet(target) {
		stored := v.opened[target.Part(n+1)]
		if _, err := v.Outputs.Write(ctx, sync, stored, stored.Content(), v.templateOf(sync)); err != nil {
			return err
		}
	}
	v.dressed = true
	return nil
}

// checkOutput finds out whether the output is what was written, and carries its owner and the template's metadata. An
// object of somebody else is an error.
func (v *visit) checkOutput(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	target, wanted := targetOf(sync)
	if !wanted {
		return nil
	}
	set, err := v.openSet(ctx, sync, target)
	if err != nil {
		return err
	}
	for _, one := range knownObjects(sync) {
		// What cannot be opened now is not written over later.
		_ = v.open(ctx, sync, one)
	}
	v.asWritten = holds(sync, target) && set.Sealed(v.Identity, sync.Status.Output.Fingerprint)
	v.dressed, err = v.isDressed(sync, target, len(set))
	return err
}

// thaw makes objects of an output that somebody made immutable changeable again. It waits where that could lose data which
// Smile no longer has: such data stays as it is until it must be erased.
func (v *visit) thaw(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) error {
	irreplaceable := func(a v1alpha1.SyncedAccount) bool { return isKept(a) && !connected(a) && !hasData(a) }
	if slices.ContainsFunc(sync.Status.Accounts, irreplaceable) {
		return nil
	}
	for n := range v.formerSet(target) {
		if stored := v.opened[target.Part(n+1)]; stored.Immutable() {
			if err := v.Outputs.Thaw(ctx, sync, stored, v.templateOf(sync)); err != nil {
				return err
			}
		}
	}
	return nil
}

// isDressed reports whether the objects of an output carry their owner and the template's metadata.
func (v *visit) isDressed(sync *v1alpha1.SmileAccountSync, target output.Target, objects int) (bool, error) {
	for n := range objects {
		ok, err := v.Outputs.AsDeclared(sync, v.opened[target.Part(n+1)], v.templateOf(sync))
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// explain decides with which problem the reconcile ends. A reconcile that finds nothing else due reports that data is kept because
// of the clock. Whatever else is wrong, it reports an output that is broken.
func (v *visit) explain(_ *pass, err error) error {
	if v.held != nil && !v.again && errors.Is(err, engine.ErrRest) {
		err = v.held
	}
	switch {
	case err == nil || v.broken == nil || errors.Is(err, context.Canceled) || apierrors.IsConflict(err):
		return err
	case errors.Is(err, engine.ErrRest):
		return v.broken
	default:
		return brokenBecause(v.broken, problem.Classify(err))
	}
}

// brokenBecause is the problem of an output that is broken and cannot be repaired because of another problem. An output of
// somebody else is not what the other problem is about, so that one shows as it is, unless its class passes unseen.
func brokenBecause(broken, cause *problem.Problem) *problem.Problem {
	if broken == cause {
		return cause
	}
	if broken.Reason != v1alpha1.ReasonOutputDamaged {
		if cause.Class == problem.Transient || cause.Class == problem.Throttled {
			return broken
		}
		return cause
	}
	shown := *cause
	shown.Condition, shown.AtOnce, shown.Ordinary = broken.Condition, true, false
	shown.Reason = broken.Reason
	shown.Message = broken.Message + "; it cannot be repaired yet (" + cause.Reason + "): " + cause.Message
	return &shown
}
