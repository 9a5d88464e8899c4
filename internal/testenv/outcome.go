package testenv

import (
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
)

// Outcome is the visible state of an object: its Ready condition, and its kstatus.
type Outcome struct {
	Ready  metav1.ConditionStatus
	Reason string
	Status status.Status
}

// Fresh is an object without a Ready condition.
var Fresh = Outcome{Status: status.InProgressStatus}

// Ready is an object that is ready.
func Ready(reason string) Outcome {
	return Outcome{metav1.ConditionTrue, reason, status.CurrentStatus}
}

// Updating is an object that was ready, and whose new generation is being reconciled.
func Updating(reason string) Outcome {
	return Outcome{metav1.ConditionTrue, reason, status.InProgressStatus}
}

// Waiting is an object that will be retried.
func Waiting(reason string) Outcome {
	return Outcome{metav1.ConditionFalse, reason, status.InProgressStatus}
}

// Stalled is an object that requires a change.
func Stalled(reason string) Outcome {
	return Outcome{metav1.ConditionFalse, reason, status.FailedStatus}
}

// Terminating is an object whose deletion is blocked.
func Terminating(reason string) Outcome {
	return Outcome{metav1.ConditionFalse, reason, status.TerminatingStatus}
}

// Outcome reads the visible state of an object.
func (w *World) Outcome(obj engine.Object) Outcome {
	w.Helper()
	w.Get(obj)
	outcome := Outcome{Status: w.kstatus(obj)}
	if ready := meta.FindStatusCondition(obj.CommonStatus().Conditions, v1alpha1.ConditionReady); ready != nil {
		outcome.Ready, outcome.Reason = ready.Status, ready.Reason
	}
	return outcome
}

// kstatus computes the status of an object as generic tools do.
func (w *World) kstatus(obj client.Object) status.Status {
	w.Helper()
	kind, err := apiutil.GVKForObject(obj, w.Client.Scheme())
	w.must(err)
	stored := &unstructured.Unstructured{}
	stored.SetGroupVersionKind(kind)
	w.must(w.Client.Get(w.Context(), client.ObjectKeyFromObject(obj), stored))
	computed, err := status.Compute(stored)
	w.must(err)
	return computed.Status
}

// Condition reads a condition of an object as <status>/<reason>; "" when it has none of that type.
func (w *World) Condition(obj engine.Object, kind string) string {
	w.Helper()
	w.Get(obj)
	found := meta.FindStatusCondition(obj.CommonStatus().Conditions, kind)
	if found == nil {
		return ""
	}
	return string(found.Status) + "/" + found.Reason
}

// Message reads the message of an object's Ready condition.
func (w *World) Message(obj engine.Object) string {
	w.Helper()
	w.Get(obj)
	if ready := meta.FindStatusCondition(obj.CommonStatus().Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Message
	}
	return ""
}
