package engine

import (
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// actionReconcile is the action of the events that report a change of Ready.
const actionReconcile = "Reconcile"

// report logs the problem with which a reconcile ends. An error that nothing classifies is logged with its type, as an error.
func report(logger logr.Logger, what string, found *problem.Problem) {
	if cause := problem.Unexpected(found); cause != nil {
		logger.Error(cause, what+": an unexpected error", "type", problem.TypeOf(cause), "reason", found.Reason)
		return
	}
	logger.Info(what, "reason", found.Reason, "cause", found.Error())
}

// recordEvents records the events of a reconcile: those of the phases, and one about Ready if its status or reason changed.
// Success needs no event of its own if another event says what was achieved.
func (r *Reconciler[T]) recordEvents(logger logr.Logger, run *Run[T], before metav1.Condition) {
	emit := func(e happening) {
		logger.Info(e.message, "reason", e.reason)
		r.Events.Eventf(r.reference(run.Object, e.kind), nil, e.kind, e.reason, e.action, "%s", e.message)
	}
	done := len(run.events) > 0
	for _, e := range run.events {
		emit(e)
		done = done && e.kind == corev1.EventTypeNormal
	}
	run.events = nil
	after := readyOf(run.Object)
	if kind, worth := verdict(before, after, done, run.ordinary); worth {
		emit(happening{kind, after.Reason, actionReconcile, after.Message})
	}
}

// verdict reports whether a change of Ready is worth an event. done is true if other events say what was achieved, and
// ordinary if not being ready is part of a start.
func verdict(before, after metav1.Condition, done, ordinary bool) (kind string, worth bool) {
	switch {
	case after.Type == "" || after.Status == before.Status && after.Reason == before.Reason:
		return "", false
	case before.Status != metav1.ConditionTrue && (ordinary || done && after.Reason == v1alpha1.ReasonSucceeded):
		return "", false
	case after.Status == metav1.ConditionFalse:
		return corev1.EventTypeWarning, true
	default:
		return corev1.EventTypeNormal, true
	}
}

// reference names the object of an event. Without a version, equal events about the object become one event with a count.
// Warnings keep the version and are recorded one by one, because their messages may differ.
func (r *Reconciler[T]) reference(obj T, kind string) *metav1.PartialObjectMetadata {
	about := &metav1.PartialObjectMetadata{
		ObjectMeta: metav1.ObjectMeta{Namespace: obj.GetNamespace(), Name: obj.GetName(), UID: obj.GetUID()},
	}
	about.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(r.Kind.Name))
	if kind != corev1.EventTypeNormal {
		about.ResourceVersion = obj.GetResourceVersion()
	}
	return about
}

func readyOf(obj Object) metav1.Condition {
	if ready := meta.FindStatusCondition(obj.CommonStatus().Conditions, v1alpha1.ConditionReady); ready != nil {
		return *ready
	}
	return metav1.Condition{}
}
