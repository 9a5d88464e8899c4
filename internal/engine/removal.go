package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// holdOrRelease adds the finalizer if the deletion of the object has something to undo, and removes it otherwise. During an
// uninstall it adds none.
func (r *Reconciler[T]) holdOrRelease(ctx context.Context, run *Run[T]) error {
	undo := r.Kind.Undo
	if undo == nil {
		return nil
	}
	until := releasedUntil(run.Object, run.Now)
	run.WakeAt(until)
	held := undo.Needed(run.Object) && until.IsZero()
	if held == controllerutil.ContainsFinalizer(run.Object, undo.Finalizer) {
		return nil
	}
	return r.setFinalizer(ctx, run, held)
}

// longestRelease is how far ahead an uninstall may release objects. An annotation that was forgotten, or set by a clock that is
// wrong, must not turn revokes off.
const longestRelease = time.Hour

// releasedUntil returns until when an uninstall has released the object; the zero time if none has.
func releasedUntil(obj client.Object, now time.Time) time.Time {
	until, err := time.Parse(time.RFC3339, obj.GetAnnotations()[v1alpha1.AnnotationReleasedUntil])
	if err != nil || !until.After(now) || until.After(now.Add(longestRelease)) {
		return time.Time{}
	}
	return until
}

// setFinalizer adds or removes the finalizer. It fails with a conflict if the object is stale.
func (r *Reconciler[T]) setFinalizer(ctx context.Context, run *Run[T], held bool) error {
	obj := run.stored.DeepCopyObject().(T)
	if held {
		controllerutil.AddFinalizer(obj, r.Kind.Undo.Finalizer)
		delete(obj.GetAnnotations(), v1alpha1.AnnotationReleasedUntil)
	} else {
		controllerutil.RemoveFinalizer(obj, r.Kind.Undo.Finalizer)
	}
	patch := client.MergeFromWithOptions(run.stored, client.MergeFromWithOptimisticLock{})
	if err := client.IgnoreNotFound(r.Client.Patch(ctx, obj, patch)); err != nil {
		return fmt.Errorf("writing the finalizer: %w", err)
	}
	run.Object, run.stored = obj, obj.DeepCopyObject().(T)
	return nil
}

// remove undoes what the deletion must undo, and then releases the object. While it cannot, the object stays and shows why.
func (r *Reconciler[T]) remove(ctx context.Context, run *Run[T]) (ctrl.Result, error) {
	undo := r.Kind.Undo
	if undo == nil || !controllerutil.ContainsFinalizer(run.Object, undo.Finalizer) {
		return ctrl.Result{}, nil
	}
	if forced(run.Object) || !releasedUntil(run.Object, run.Now).IsZero() {
		r.orphan(ctx, run, "released by annotation: what is left at Smile stays there")
		return ctrl.Result{}, r.setFinalizer(ctx, run, false)
	}
	if undo.Needed(run.Object) {
		deleted, err := r.kindDeleted(ctx)
		if deleted {
			r.orphan(ctx, run, "released because its CustomResourceDefinition is being deleted: what is left at Smile stays there")
			return ctrl.Result{}, r.setFinalizer(ctx, run, false)
		}
		if err == nil {
			err = undo.within(ctx, run)
		}
		if err != nil && !undo.givesUp(run) {
			return r.blocked(ctx, run, err)
		}
		if err != nil {
			r.orphan(ctx, run, "released after waiting long enough: what is left at Smile stays there")
		}
	}
	return ctrl.Result{}, r.setFinalizer(ctx, run, false)
}

// kindDeleted reports whether the CustomResourceDefinition of the kind is being deleted, and all objects with it. That is an
// uninstall, which is not meant to change anything at Smile. The definition is marked before any of its objects is, so a live
// read never misses it.
func (r *Reconciler[T]) kindDeleted(ctx context.Context) (bool, error) {
	definition := &metav1.PartialObjectMetadata{}
	definition.SetGroupVersionKind(
		schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
	)
	name := strings.ToLower(r.Kind.Name) + "s." + v1alpha1.GroupVersion.Group
	if err := r.Kind.Undo.Live.Get(ctx, client.ObjectKey{Name: name}, definition); err != nil {
		return false, fmt.Errorf("reading CustomResourceDefinition %s: %w", name, err)
	}
	return definition.DeletionTimestamp != nil, nil
}

func (r *Reconciler[T]) orphan(ctx context.Context, run *Run[T], message string) {
	log.FromContext(ctx).Info(message, "reason", v1alpha1.ReasonOrphaned)
	r.Events.Eventf(run.Object, nil, corev1.EventTypeWarning, v1alpha1.ReasonOrphaned, "Delete", "%s", message)
	orphaned.WithLabelValues(r.Kind.Name).Inc()
}

// givesUp reports whether the object is to be released although not everything is undone.
func (u *Undo[T]) givesUp(run *Run[T]) bool {
	return u.GiveUp > 0 && !run.Now.Before(run.Object.GetDeletionTimestamp().Add(u.GiveUp))
}

// undoPatience is how long one try to undo may take. A try that takes longer, because Smile does not respond, is aborted,
// and the deletion is shown as blocked. What it has undone stays undone.
const undoPatience = 8 * time.Second

func (u *Undo[T]) within(ctx context.Context, run *Run[T]) error {
	ctx, cancel := context.WithTimeout(ctx, undoPatience)
	defer cancel()
	return u.Run(ctx, run)
}

func forced(obj client.Object) bool {
	return obj.GetAnnotations()[v1alpha1.AnnotationForceOrphan] == string(obj.GetUID())
}

func (r *Reconciler[T]) blocked(ctx context.Context, run *Run[T], err error) (ctrl.Result, error) {
	if isOrdinary(err) {
		return ctrl.Result{}, err
	}
	found := problem.Classify(err)
	if smile.KeepsPlace(found) {
		run.retry(found)
		return r.schedule(ctx, run)
	}
	report(log.FromContext(ctx), "the deletion is blocked", found)
	// kubectl smile finds the reason in the first parentheses.
	r.show(run, "", &problem.Problem{
		Class: problem.NotReady, Reason: v1alpha1.ReasonDeletionBlocked,
		Message: "the deletion waits until something at Smile is revoked or deleted (" + found.Reason + "): " + found.Message +
			"; to delete the object without that, set the annotation " + v1alpha1.AnnotationForceOrphan + " to its UID",
	})
	if err := r.commit(ctx, run); err != nil {
		return ctrl.Result{}, err
	}
	if found.Class == problem.Transient || found.RetryAfter == 0 {
		return ctrl.Result{}, found
	}
	return ctrl.Result{RequeueAfter: min(found.RetryAfter, dependencyRetry)}, nil
}
