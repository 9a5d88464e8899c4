package testenv

import (
	"cmp"
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

// checkContract fails the test if a reconcile, or the resulting object, breaks a rule that applies to all objects.
func (w *World) checkContract(o *Operator, obj engine.Object, result ctrl.Result, err error) {
	w.Helper()
	if err != nil && result != (ctrl.Result{}) {
		w.Errorf("a reconcile returned both an error (%v) and a schedule (%+v)", err, result)
	}
	if result.RequeueAfter < 0 {
		w.Errorf("a reconcile requested the next one in %v", result.RequeueAfter)
	}
	if leaks := o.leaked(); len(leaks) > 0 {
		w.Errorf("a secret or a person's data is in events or logs: %s", leaks[0])
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

// breaches returns the rules that an object breaks.
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

// unstable matches what differs between equal failures: ids, dates, times.
var unstable = regexp.MustCompile(`[0-9a-f]{16}|[0-9a-f]{8}-[0-9a-f]{4}-|\d{4}-\d{2}-\d{2}|\d{2}:\d{2}`)

const longestMessage = 512

// rule is something that holds for every condition.
type rule struct {
	breach string
	broken func(obj engine.Object, c metav1.Condition) bool
}

// onlyWhileTrue are the conditions that are absent unless they are true.
var onlyWhileTrue = []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionSuspended}

// onlyWhileFalse are the conditions that are absent unless they are false.
var onlyWhileFalse = []string{
	v1alpha1.ConditionRevokesAllowed, v1alpha1.ConditionSecretUsePermitted, v1alpha1.ConditionTemplateApplied,
}

var rules = []rule{
	{"is neither true nor false", func(_ engine.Object, c metav1.Condition) bool {
		return c.Status != metav1.ConditionTrue && c.Status != metav1.ConditionFalse
	}},
	{"is present though not true", func(_ engine.Object, c metav1.Condition) bool {
		return slices.Contains(onlyWhileTrue, c.Type) && c.Status != metav1.ConditionTrue
	}},
	{"is present though not false", func(_ engine.Object, c metav1.Condition) bool {
		return slices.Contains(onlyWhileFalse, c.Type) && c.Status != metav1.ConditionFalse
	}},
	{"does not say what is wrong", func(_ engine.Object, c metav1.Condition) bool {
		return c.Status == metav1.ConditionFalse && c.Message == ""
	}},
	{"says too much", func(_ engine.Object, c metav1.Condition) bool { return len(c.Message) > longestMessage }},
	{"says an id or a time", func(obj engine.Object, c metav1.Condition) bool {
		return unstable.MatchString(c.Message) || strings.Contains(c.Message, string(obj.GetUID()))
	}},
	{"was observed of no generation that exists", func(obj engine.Object, c metav1.Condition) bool {
		return c.ObservedGeneration > obj.GetGeneration() || c.ObservedGeneration < 1
	}},
}

func conditionBreaches(obj engine.Object, c metav1.Condition, reasons []string) []string {
	var found []string
	for _, rule := range rules {
		if rule.broken(obj, c) {
			found = append(found, c.Type+" "+rule.breach+": "+c.Message)
		}
	}
	if !slices.Contains(reasons, c.Reason) {
		found = append(found, c.Type+" has a reason that is none of the API's: "+c.Reason)
	}
	return found
}

// summaryBreaches compares Ready, Reconciling, Stalled and Suspended.
func summaryBreaches(conditions []metav1.Condition) []string {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	reconciling := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling)
	stalled := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	suspended := meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionSuspended)
	why, failed := cmp.Or(reconciling, stalled), ready != nil && ready.Status == metav1.ConditionFalse
	var found []string
	for breach, broken := range map[string]bool{
		"Reconciling and Stalled at once":                     reconciling != nil && stalled != nil,
		"Reconciling while suspended":                         reconciling != nil && suspended,
		"Reconciling or Stalled without Ready=False":          why != nil && !failed,
		"Ready=False, but neither Reconciling nor Stalled":    why == nil && failed && !suspended,
		"Ready shows another reason than why it is not ready": why != nil && failed && !sameReason(why, ready),
	} {
		if broken {
			found = append(found, breach)
		}
	}
	slices.Sort(found)
	return found
}

func sameReason(a, b *metav1.Condition) bool { return a.Reason == b.Reason && a.Message == b.Message }

// statusOf is the kstatus that an object must have.
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
