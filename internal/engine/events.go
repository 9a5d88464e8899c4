package engine

import (
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// tell emits the events of a pass: what the phases reported, and Ready when its status or reason changed. That all is
// well needs no event of its own where another tells what was done for that.
func (r *Reconciler[T]) tell(logger logr.Logger, pass *Pass[T], before metav1.Condition) {
	emit := func(e happening) {
		logger.Info(e.message, "reason", e.reason)
		r.Events.Eventf(r.reference(pass.Object, e.kind), nil, e.kind, e.reason, e.action, "%s", e.message)
	}
	done := len(pass.events) > 0
	for _, e := range pass.events {
		emit(e)
		done = done && e.kind == corev1.EventTypeNormal
	}
	pass.events = nil
	after := readyOf(pass.Object)
	if after.Type == "" || (after.Status == before.Status && after.Reason == before.Reason) {
		return
	}
	if done && before.Status != metav1.ConditionTrue && after.Reason == v1alpha1.ReasonSucceeded {
		return
	}
	kind := corev1.EventTypeNormal
	if after.Status == metav1.ConditionFalse {
		kind = corev1.EventTypeWarning
	}
	if pass.ordinary && before.Status != metav1.ConditionTrue {
		return
	}
	emit(happening{kind, after.Reason, "Reconcile", after.Message})
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
