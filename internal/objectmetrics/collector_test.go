package objectmetrics_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/objectmetrics"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func collector(t *testing.T, refuse error, objects ...client.Object) *objectmetrics.Collector {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if refuse != nil {
				return refuse
			}
			return c.List(ctx, list, options...)
		},
	}).Build()
	return &objectmetrics.Collector{Objects: reader, Scheme: scheme, Clock: clocktesting.NewFakePassiveClock(now)}
}

func user(name string, conditions ...metav1.Condition) *v1alpha1.SmileUser {
	u := &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	u.Status.Conditions = conditions
	return u
}

func condition(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason}
}

func TestObjectsAreCounted(t *testing.T) {
	t.Parallel()
	ready := condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	george := user("george", ready)
	george.Status.Duplicates = 2
	george.Status.LinkToken = &v1alpha1.LinkTokenStatus{ExpiresAt: metav1.NewTime(now.Add(10 * time.Minute))}
	mary := user("mary", ready)
	mary.Spec.Suspend = true
	mary.Status.LinkToken = &v1alpha1.LinkTokenStatus{ExpiresAt: metav1.NewTime(now.Add(-time.Minute))}
	sync := &v1alpha1.SmileAccountSync{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "george"}}
	sync.Status.Accounts = []v1alpha1.SyncedAccount{
		{Datapoints: []v1alpha1.DatapointStatus{{FetchedAt: metav1.NewTime(now.Add(-time.Minute))}}},
		{Datapoints: []v1alpha1.DatapointStatus{{FetchedAt: metav1.NewTime(now.Add(-2 * time.Hour))}}},
	}
	c := collector(t, nil, george, mary, sync,
		user("paula",
			condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonConnectionNotReady),
			condition(v1alpha1.ConditionConnectionReady, metav1.ConditionFalse, v1alpha1.ReasonConnectionNotReady)),
		user("new"),
		user("meddled",
			condition(v1alpha1.ConditionReady, metav1.ConditionFalse, "MadeUp"),
			condition("AlsoMadeUp", metav1.ConditionFalse, "MadeUp")),
	)
	want := `
# HELP smile_operator_duplicate_users Users at Smile that are a second user of the same person, as the statuses of SmileUsers show.
# TYPE smile_operator_duplicate_users gauge
smile_operator_duplicate_users 2
# HELP smile_operator_link_token_remaining_seconds Histogram of the time until the link tokens in Secrets expire, at the time of the scrape. In the bucket 0 they have expired.
# TYPE smile_operator_link_token_remaining_seconds histogram
smile_operator_link_token_remaining_seconds_bucket{le="0"} 1
smile_operator_link_token_remaining_seconds_bucket{le="60"} 1
smile_operator_link_token_remaining_seconds_bucket{le="300"} 1
smile_operator_link_token_remaining_seconds_bucket{le="900"} 2
smile_operator_link_token_remaining_seconds_bucket{le="1800"} 2
smile_operator_link_token_remaining_seconds_bucket{le="3600"} 2
smile_operator_link_token_remaining_seconds_bucket{le="7200"} 2
smile_operator_link_token_remaining_seconds_bucket{le="+Inf"} 2
smile_operator_link_token_remaining_seconds_sum 540
smile_operator_link_token_remaining_seconds_count 2
# HELP smile_operator_objects Objects by the status and reason of their condition Ready. Unknown: not reconciled yet.
# TYPE smile_operator_objects gauge
smile_operator_objects{kind="SmileAccountSync",ready="Unknown",reason=""} 1
smile_operator_objects{kind="SmileUser",ready="False",reason="ConnectionNotReady"} 1
smile_operator_objects{kind="SmileUser",ready="False",reason="other"} 1
smile_operator_objects{kind="SmileUser",ready="True",reason="Succeeded"} 2
smile_operator_objects{kind="SmileUser",ready="Unknown",reason=""} 1
# HELP smile_operator_objects_condition_false Objects that have a condition that is False, by condition and reason. Ready is not counted.
# TYPE smile_operator_objects_condition_false gauge
smile_operator_objects_condition_false{condition="ConnectionReady",kind="SmileUser",reason="ConnectionNotReady"} 1
smile_operator_objects_condition_false{condition="other",kind="SmileUser",reason="other"} 1
# HELP smile_operator_objects_suspended Objects whose spec.suspend is true.
# TYPE smile_operator_objects_suspended gauge
smile_operator_objects_suspended{kind="SmileAccountSync"} 0
smile_operator_objects_suspended{kind="SmileConnection"} 0
smile_operator_objects_suspended{kind="SmileUser"} 1
smile_operator_objects_suspended{kind="SmileWebhookSubscription"} 0
smile_operator_objects_suspended{kind="SmileWinkWidget"} 0
# HELP smile_operator_output_age_seconds Histogram of the time since the oldest data in each output was fetched, at the time of the scrape.
# TYPE smile_operator_output_age_seconds histogram
smile_operator_output_age_seconds_bucket{le="3600"} 0
smile_operator_output_age_seconds_bucket{le="21600"} 1
smile_operator_output_age_seconds_bucket{le="86400"} 1
smile_operator_output_age_seconds_bucket{le="604800"} 1
smile_operator_output_age_seconds_bucket{le="2.592e+06"} 1
smile_operator_output_age_seconds_bucket{le="5.184e+06"} 1
smile_operator_output_age_seconds_bucket{le="+Inf"} 1
smile_operator_output_age_seconds_sum 7200
smile_operator_output_age_seconds_count 1
`
	if err := testutil.CollectAndCompare(c, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) != 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// Half a count would look as if objects had disappeared.
func TestAnUnreadableCacheGivesNoMetrics(t *testing.T) {
	t.Parallel()
	if n := testutil.CollectAndCount(collector(t, errors.New("not synced"), user("george"))); n != 0 {
		t.Errorf("%d series", n)
	}
}
