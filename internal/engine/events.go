package engine

import (
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// actionReconcile is the action of the events that report a change of Ready.
const actionReconcile = "Reconcile"

// tell emits the events of a pass: what the phases reported, and Ready when its status or reason changed. That all is
// well needs no event of its own where another tells what was done for that.
func (r *Reconciler[T]) tell(logger logr.Logger, run *Run[T], before metav1.Condition) {
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

// verdict tells whether a change of Ready is worth an event. done is whether others tell of what was achieved, and ordinary
// that not to be ready is part of a start.
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

// reference names the object of an event. Without its version what happens to it again and again is one event that
// counts. Warnings are told one by one, for what they say may differ.
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
