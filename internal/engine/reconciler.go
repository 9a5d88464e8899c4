package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// ErrRest ends a reconcile that found nothing due. All conditions stay as they are.
var ErrRest = errors.New("nothing is due")

const (
	dependencyRetry = 5 * time.Minute
	deniedRetry     = 15 * time.Minute
	throttledRetry  = 30 * time.Second
	// shownAfter is how many transient failures in a row there are before Ready shows them.
	shownAfter = 3
)

// Reconciler runs the life of the objects of one kind.
type Reconciler[T Object] struct {
	Kind   Kind[T]
	Client client.Client
	Events events.EventRecorder
	Clock  clock.PassiveClock

	memory memory
	// queue of the kind's controller; nil until it is started.
	queue atomic.Pointer[queue]
}

// Reconcile reconciles an object once. An error means backoff, RequeueAfter a schedule; it never returns both.
func (r *Reconciler[T]) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	obj := r.Kind.New()
	if err := r.Client.Get(ctx, req.NamespacedName, obj); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.forget(req.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("reading the object: %w", err)
	}
	if r.memory.newerThan(obj, r.Clock.Now()) {
		return ctrl.Result{RequeueAfter: staleRetry}, nil
	}
	run := newRun(obj, r.Clock.Now(), r.Client, &r.memory)
	run.First = r.memory.met(obj)
	ctx, end := r.calling(ctx, run)
	defer end()
	return r.reconcile(ctx, run)
}

func (r *Reconciler[T]) reconcile(ctx context.Context, run *Run[T]) (ctrl.Result, error) {
	obj := run.Object
	if !obj.GetDeletionTimestamp().IsZero() {
		return r.remove(ctx, run)
	}
	if err := r.holdOrRelease(ctx, run); err != nil {
		return ctrl.Result{}, err
	}
	if run.Object.Suspended() {
		return r.suspend(ctx, run)
	}
	run.Resumed = run.Resumed || meta.IsStatusConditionTrue(run.Object.CommonStatus().Conditions, v1alpha1.ConditionSuspended)
	run.clear(v1alpha1.ConditionSuspended)
	condition, err := r.phases(ctx, run)
	run.done = err == nil || errors.Is(err, ErrRest)
	return r.conclude(ctx, run, condition, err)
}

// phases runs the phases until one fails, and returns the error with the condition of the phase that failed.
func (r *Reconciler[T]) phases(ctx context.Context, run *Run[T]) (condition string, err error) {
	phases, conclude := r.Kind.Phases()
	for _, phase := range phases {
		condition = phase.Condition
		var outcome Outcome
		if outcome, err = phase.Run(ctx, run); err != nil {
			break
		}
		if outcome == Succeeded {
			outcome = True(v1alpha1.ReasonSucceeded, phase.Done)
		}
		if condition != "" {
			run.Set(condition, outcome)
		}
	}
	if conclude != nil {
		err = conclude(run, err)
	}
	return condition, err
}

// conclude turns the outcome of the phases into Ready, Reconciling and Stalled, writes the status if its meaning
// changed, and schedules the next reconcile.
func (r *Reconciler[T]) conclude(ctx context.Context, run *Run[T], condition string, err error) (ctrl.Result, error) {
	if err == nil {
		r.memory.succeeded(nameOf(run))
		run.condition(v1alpha1.ConditionReady, run.ready.Status, run.ready.Reason, run.ready.Message)
		run.clear(v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled)
		run.Object.CommonStatus().ObservedGeneration = run.Object.GetGeneration()
		return r.schedule(ctx, run)
	}
	if errors.Is(err, ErrRest) {
		return r.schedule(ctx, run)
	}
	if errors.Is(err, context.Canceled) {
		return ctrl.Result{}, errors.Join(err, r.save(ctx, run))
	}
	if isOrdinary(err) {
		return ctrl.Result{}, err
	}
	found := problem.Classify(err)
	report(log.FromContext(ctx).V(1), "the reconcile ended early", found)
	if found.Class == problem.Transient {
		if r.memory.failed(nameOf(run)) >= shownAfter || found.AtOnce {
			r.show(run, condition, found)
		} else {
			run.withhold()
		}
		if commitErr := r.commit(ctx, run); commitErr != nil {
			return ctrl.Result{}, commitErr
		}
		return ctrl.Result{}, found
	}
	if found.Class != problem.Throttled || found.AtOnce {
		r.memory.succeeded(nameOf(run))
		r.show(run, condition, found)
	} else {
		run.withhold()
	}
	run.retry(found)
	return r.schedule(ctx, run)
}

// retry requests another reconcile when the problem is due again, and none before. An object that keeps its place in the call
// queue is woken when it is its turn. Then requests for later stay, and one that is due waits for that call.
func (p *Run[T]) retry(found *problem.Problem) {
	if !smile.KeepsPlace(found) || !p.next.After(p.Now) {
		p.next = time.Time{}
	}
	p.WakeAfter(retryAfter(found))
}

// isOrdinary reports whether an error is part of the ordinary course: it is retried but neither counted nor shown.
func isOrdinary(err error) bool {
	return apierrors.IsConflict(err) || errors.Is(err, context.Canceled)
}

func retryAfter(p *problem.Problem) time.Duration {
	switch {
	case p.RetryAfter > 0:
		return p.RetryAfter
	case p.Class == problem.Throttled:
		return Jitter(throttledRetry)
	case p.Class == problem.NotReady:
		return Jitter(dependencyRetry)
	default:
		return Jitter(deniedRetry)
	}
}

// show makes a problem visible: Stalled if only a change helps, otherwise Reconciling. Only Stalled updates observedGeneration,
// because a generation that is still being tried is not handled.
func (r *Reconciler[T]) show(run *Run[T], condition string, found *problem.Problem) {
	if found.Condition != "" {
		condition = found.Condition
	}
	if condition != "" {
		run.condition(condition, metav1.ConditionFalse, found.Reason, found.Message)
	}
	run.condition(v1alpha1.ConditionReady, metav1.ConditionFalse, found.Reason, found.Message)
	run.ordinary = found.Ordinary
	shown, cleared := v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled
	if found.Class == problem.Invalid || found.Class == problem.Denied {
		shown, cleared = cleared, shown
		run.Object.CommonStatus().ObservedGeneration = run.Object.GetGeneration()
	}
	run.condition(shown, metav1.ConditionTrue, found.Reason, found.Message)
	run.clear(cleared)
}

func (r *Reconciler[T]) suspend(ctx context.Context, run *Run[T]) (ctrl.Result, error) {
	if r.Kind.Guard != nil {
		if err := r.Kind.Guard(ctx, run); err != nil {
			return ctrl.Result{}, errors.Join(err, r.commit(ctx, run))
		}
	}
	run.done = true
	run.condition(v1alpha1.ConditionSuspended, metav1.ConditionTrue, v1alpha1.ReasonSuspended,
		"spec.suspend is true: nothing is called or written for this object")
	run.clear(v1alpha1.ConditionReconciling)
	run.Object.CommonStatus().ObservedGeneration = run.Object.GetGeneration()
	return r.schedule(ctx, run)
}

// schedule commits, and requests the next reconcile at low priority: new and changed objects go before objects that are only
// due.
func (r *Reconciler[T]) schedule(ctx context.Context, run *Run[T]) (ctrl.Result, error) {
	if err := r.commit(ctx, run); err != nil {
		return ctrl.Result{}, err
	}
	if run.next.IsZero() {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{
		RequeueAfter: max(run.next.Sub(r.Clock.Now()), time.Millisecond),
		Priority:     new(handler.LowPriority),
	}, nil
}

// commit writes the status if it changed, and then records the events.
func (r *Reconciler[T]) commit(ctx context.Context, run *Run[T]) error {
	before := readyOf(run.stored)
	run.sortConditions()
	if equality.Semantic.DeepEqual(run.stored, run.Object) {
		r.memory.settled(run.stored)
	} else if err := run.patchStatus(ctx, false); err != nil {
		return err
	}
	r.recordEvents(log.FromContext(ctx), run, before)
	return nil
}

// save stores what a reconcile achieved before the end of the process cut it short. The process may end because another one has
// taken over. Nothing that the other one wrote is overwritten.
func (r *Reconciler[T]) save(ctx context.Context, run *Run[T]) error {
	if equality.Semantic.DeepEqual(run.stored, run.Object) {
		return nil
	}
	return run.patchStatus(ctx, true)
}

func (r *Reconciler[T]) forget(name types.NamespacedName) {
	if gone := r.memory.back(name); gone.caller != nil {
		gone.caller.Forget()
	}
	r.memory.forget(name)
	if r.Kind.Gone != nil {
		r.Kind.Gone(name)
	}
}

func nameOf[T Object](run *Run[T]) types.NamespacedName {
	return client.ObjectKeyFromObject(run.Object)
}
