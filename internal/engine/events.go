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
	about := r.reference(pass.Object)
	emit := func(e happening) {
		logger.Info(e.message, "reason", e.reason)
		r.Events.Eventf(about, nil, e.kind, e.reason, e.action, "%s", e.message)
	}
	for _, e := range pass.events {
		emit(e)
	}
	told := len(pass.events) > 0
	pass.events = nil
	after := readyOf(pass.Object)
	if after.Type == "" || (after.Status == before.Status && after.Reason == before.Reason) {
		return
	}
	if told && before.Status != metav1.ConditionTrue && after.Reason == v1alpha1.ReasonSucceeded {
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

// reference names an object without its version: only then is what happens to it again and again one event that counts.
func (r *Reconciler[T]) reference(obj T) *metav1.PartialObjectMetadata {
	about := &metav1.PartialObjectMetadata{
		ObjectMeta: metav1.ObjectMeta{Namespace: obj.GetNamespace(), Name: obj.GetName(), UID: obj.GetUID()},
	}
	about.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(r.Kind.Name))
	return about
}

func readyOf(obj Object) metav1.Condition {
	if ready := meta.FindStatusCondition(obj.CommonStatus().Conditions, v1alpha1.ConditionReady); ready != nil {
		return *ready
	}
	return metav1.Condition{}
}
