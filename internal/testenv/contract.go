package testenv

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
)

// holdToContract fails the test when a pass, or what it left, is not as all must be.
func (w *World) holdToContract(o *Operator, obj engine.Object, result ctrl.Result, err error) {
	w.Helper()
	if err != nil && result != (ctrl.Result{}) {
		w.Errorf("a pass gave both an error (%v) and a schedule (%+v)", err, result)
	}
	if result.RequeueAfter < 0 {
		w.Errorf("a pass asked for the next one in %v", result.RequeueAfter)
	}
	if leaks := o.leaked(); len(leaks) > 0 {
		w.Errorf("a secret or a person's data is told in events or logs: %s", leaks[0])
	}
	before := obj.GetResourceVersion()
	if !w.Exists(obj) || obj.GetResourceVersion() == before && before != "" {
		return
	}
	reasons, err := Reasons()
	w.must(err)
	for _, breach := range breaches(obj, w.kstatus(obj), reasons) {
		w.Errorf("%T %s: %s", obj, obj.GetName(), breach)
	}
}

// breaches tells in what an object is not as all must be.
func breaches(obj engine.Object, shown status.Status, reasons []string) []string {
	conditions := obj.CommonStatus().Conditions
	var found []string
	for _, c := range conditions {
		found = append(found, conditionBreaches(obj, c, reasons)...)
	}
	found = append(found, summaryBreaches(conditions)...)
	if wanted := statusOf(obj); shown != wanted {
		found = append(found, fmt.Sprintf("kstatus says %s, want %s", shown, wanted))
	}
	text, err := json.Marshal(obj.CommonStatus())
	if err != nil || strings.Contains(string(text), Canary) {
		found = append(found, "a secret or a person's data is in the status")
	}
	return found
}

// unstable is what changes from one occasion to the next: ids, dates, times.
var unstable = regexp.MustCompile(`[0-9a-f]{16}|[0-9a-f]{8}-[0-9a-f]{4}-|\d{4}-\d{2}-\d{2}|\d{2}:\d{2}`)

const longestMessage = 512

func conditionBreaches(obj engine.Object, c metav1.Condition, reasons []string) []string {
	var found []string
	breach := func(format string, values ...any) {
		found = append(found, c.Type+": "+fmt.Sprintf(format, values...))
	}
	if c.Status != metav1.ConditionTrue && c.Status != metav1.ConditionFalse {
		breach("status %q", c.Status)
	}
	if !slices.Contains(reasons, c.Reason) {
		breach("reason %q is none of the API's", c.Reason)
	}
	if len(c.Message) > longestMessage {
		breach("message of %d bytes", len(c.Message))
	}
	if c.Status == metav1.ConditionFalse && c.Message == "" {
		breach("no message")
	}
	if unstable.MatchString(c.Message) || strings.Contains(c.Message, string(obj.GetUID())) {
		breach("message with an id or a time: %s", c.Message)
	}
	if c.ObservedGeneration > obj.GetGeneration() || c.ObservedGeneration < 1 {
		breach("observedGeneration %d of generation %d", c.ObservedGeneration, obj.GetGeneration())
	}
	onlyTrue := []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionSuspended}
	if slices.Contains(onlyTrue, c.Type) && c.Status != metav1.ConditionTrue {
		breach("is present though not true")
	}
	return found
}

// summaryBreaches holds Ready, Reconciling, Stalled and Suspended against each other.
func summaryBreaches(conditions []metav1.Condition) []string {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	reconciling := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling)
	stalled := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	suspended := meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionSuspended)
	why := reconciling
	if why == nil {
		why = stalled
	}
	switch {
	case reconciling != nil && stalled != nil:
		return []string{"Reconciling and Stalled at once"}
	case suspended && reconciling != nil:
		return []string{"Reconciling while suspended"}
	case why != nil && (ready == nil || ready.Status != metav1.ConditionFalse):
		return []string{why.Type + " without Ready=False"}
	case why != nil && (why.Reason != ready.Reason || why.Message != ready.Message):
		return []string{why.Type + " and Ready tell different stories"}
	case why == nil && !suspended && ready != nil && ready.Status == metav1.ConditionFalse:
		return []string{"Ready=False, but neither Reconciling nor Stalled"}
	default:
		return nil
	}
}

// statusOf is what tools must make of an object.
func statusOf(obj engine.Object) status.Status {
	common := obj.CommonStatus()
	ready := meta.FindStatusCondition(common.Conditions, v1alpha1.ConditionReady)
	switch {
	case obj.GetDeletionTimestamp() != nil:
		return status.TerminatingStatus
	case common.ObservedGeneration != obj.GetGeneration():
		return status.InProgressStatus
	case meta.IsStatusConditionTrue(common.Conditions, v1alpha1.ConditionStalled):
		return status.FailedStatus
	case ready != nil && ready.Status == metav1.ConditionFalse:
		return status.InProgressStatus
	default:
		return status.CurrentStatus
	}
}
