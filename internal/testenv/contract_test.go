package testenv

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// The contract is checked after every reconcile of every test. A rule that cannot be broken would prove nothing.
func TestTheContractCanBeBroken(t *testing.T) {
	t.Parallel()
	const reason, message = v1alpha1.ReasonSecretInvalid, "the Secret is empty"
	condition := func(kind string, status metav1.ConditionStatus) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: 2}
	}
	ready := func(status metav1.ConditionStatus) metav1.Condition {
		return condition(v1alpha1.ConditionReady, status)
	}
	stalled := condition(v1alpha1.ConditionStalled, metav1.ConditionTrue)
	reconciling := condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue)
	with := func(c metav1.Condition, how func(*metav1.Condition)) metav1.Condition {
		how(&c)
		return c
	}
	for name, test := range map[string]struct {
		conditions []metav1.Condition
		shown      status.Status
		want       []string
	}{
		"nothing yet":  {nil, status.CurrentStatus, nil},
		"ready":        {[]metav1.Condition{ready("True")}, status.CurrentStatus, nil},
		"stalled":      {[]metav1.Condition{ready("False"), stalled}, status.FailedStatus, nil},
		"reconciling":  {[]metav1.Condition{ready("False"), reconciling}, status.InProgressStatus, nil},
		"wrong status": {[]metav1.Condition{ready("True")}, status.FailedStatus, []string{"kstatus says Failed, want Current"}},
		"both": {
			[]metav1.Condition{ready("False"), stalled, reconciling},
			status.FailedStatus,
			[]string{"Reconciling and Stalled at once"},
		},
		"stalled though ready": {
			[]metav1.Condition{ready("True"), stalled},
			status.FailedStatus,
			[]string{"Reconciling or Stalled without Ready=False"},
		},
		"failed for no reason": {
			[]metav1.Condition{ready("False")},
			status.InProgressStatus,
			[]string{"Ready=False, but neither Reconciling nor Stalled"},
		},
		"two stories": {
			[]metav1.Condition{ready("False"), with(stalled, func(c *metav1.Condition) { c.Message = "something else" })},
			status.FailedStatus,
			[]string{"Ready shows another reason than why it is not ready"},
		},
		"unknown": {
			[]metav1.Condition{ready("Unknown")},
			status.CurrentStatus,
			[]string{"Ready is neither true nor false: " + message},
		},
		"left over": {
			[]metav1.Condition{ready("True"), condition(v1alpha1.ConditionSuspended, "False")},
			status.CurrentStatus,
			[]string{"Suspended is present though not true: " + message},
		},
		"nothing to warn of": {
			[]metav1.Condition{ready("True"), condition(v1alpha1.ConditionSecretUsePermitted, "True")},
			status.CurrentStatus,
			[]string{"SecretUsePermitted is present though not false: " + message},
		},
		"mute": {
			[]metav1.Condition{with(ready("False"), func(c *metav1.Condition) { c.Message = "" }), with(stalled, func(c *metav1.Condition) { c.Message = "" })},
			status.FailedStatus,
			[]string{"Ready does not say what is wrong: "},
		},
		"an id": {
			[]metav1.Condition{with(ready("True"), func(c *metav1.Condition) { c.Message = "user 0123456789abcdef0" })},
			status.CurrentStatus,
			[]string{"Ready says an id or a time: user 0123456789abcdef0"},
		},
		"a date": {
			[]metav1.Condition{with(ready("True"), func(c *metav1.Condition) { c.Message = "at 2026-03-31" })},
			status.CurrentStatus,
			[]string{"Ready says an id or a time: at 2026-03-31"},
		},
		"its own uid": {
			[]metav1.Condition{with(ready("True"), func(c *metav1.Condition) { c.Message = "object u-1" })},
			status.CurrentStatus,
			[]string{"Ready says an id or a time: object u-1"},
		},
		"a reason of its own": {
			[]metav1.Condition{with(ready("True"), func(c *metav1.Condition) { c.Reason = "Whim" })},
			status.CurrentStatus,
			[]string{"Ready has a reason that is none of the API's: Whim"},
		},
		"of the future": {
			[]metav1.Condition{with(ready("True"), func(c *metav1.Condition) { c.ObservedGeneration = 3 })},
			status.CurrentStatus,
			[]string{"Ready was observed of no generation that exists: " + message},
		},
		"a secret": {
			[]metav1.Condition{with(ready("True"), func(c *metav1.Condition) { c.Message = Canary })},
			status.CurrentStatus,
			[]string{"a secret or a person's data is in the status"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user := &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Generation: 2, UID: "u-1"}}
			user.Status.ObservedGeneration, user.Status.Conditions = 2, test.conditions
			if diff := cmp.Diff(test.want, breaches(user, test.shown, []string{reason})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRecordsNoticeLeaks(t *testing.T) {
	t.Parallel()
	var r Records
	user := &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "u"}}
	r.Eventf(user, nil, "Normal", "Succeeded", "Reconcile", "%s", "all well")
	r.logger().V(loudest).Info("all well", "key", "value")
	if leaks := r.leaked(); len(leaks) != 0 {
		t.Errorf("leaks without a canary: %q", leaks)
	}
	r.Eventf(user, nil, "Normal", "Succeeded", "Reconcile", "%s", Canary)
	r.logger().V(loudest).Info("body", "secret", Canary+"-1")
	if leaks := r.leaked(); len(leaks) != 2 {
		t.Errorf("noticed %q", leaks)
	}
	want := []Event{{"n/u", "Normal", "Succeeded", "Reconcile", "all well"}, {"n/u", "Normal", "Succeeded", "Reconcile", Canary}}
	if diff := cmp.Diff(want, r.Events(user)); diff != "" {
		t.Error(diff)
	}
}

func TestReasonsAreReadFromTheSource(t *testing.T) {
	t.Parallel()
	reasons, err := Reasons()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, reason := range reasons {
		if seen[reason] {
			t.Errorf("%s is declared twice", reason)
		}
		seen[reason] = true
	}
	for _, reason := range []string{v1alpha1.ReasonSucceeded, v1alpha1.ReasonClusterError, v1alpha1.ReasonCreateOutcomeUnknown} {
		if !seen[reason] {
			t.Errorf("%s is missing", reason)
		}
	}
}
