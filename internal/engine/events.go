package engine

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// tell emits the events of a pass: what the phases reported, and Ready when its status or reason changed.
func (r *Reconciler[T]) tell(pass *Pass[T], before metav1.Condition) {
	for _, e := range pass.events {
		r.Events.Eventf(pass.Object, nil, e.kind, e.reason, e.action, "%s", e.message)
	}
	pass.events = nil
	after := readyOf(pass.Object)
	if after.Type == "" || (after.Status == before.Status && after.Reason == before.Reason) {
		return
	}
	// Waiting for something else is the ordinary course, however often it happens.
	kind := corev1.EventTypeNormal
	if after.Status == metav1.ConditionFalse && !pass.waiting {
		kind = corev1.EventTypeWarning
	}
	r.Events.Eventf(pass.Object, nil, kind, after.Reason, "Reconcile", "%s", after.Message)
}

func readyOf(obj Object) metav1.Condition {
	if ready := meta.FindStatusCondition(obj.CommonStatus().Conditions, v1alpha1.ConditionReady); ready != nil {
		return *ready
	}
	return metav1.Condition{}
}
