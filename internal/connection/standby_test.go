package connection

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// shownBy writes into the status of a connection that the leader has proven a pair.
func (w *world) shownBy(t *testing.T, obj *v1alpha1.SmileConnection, proven *Connection) {
	t.Helper()
	obj.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue},
		{Type: v1alpha1.ConditionCredentialsValid, Status: metav1.ConditionTrue},
	}
	obj.Status.Credentials = &v1alpha1.CredentialsStatus{Fingerprint: proven.Fingerprint()}
	if err := w.kube.Status().Update(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
}

// A standby uses the key pair that the leader has proven, and no other. It makes no call to prove one itself.
func TestAStandbyFollowsTheLeader(t *testing.T) {
	t.Parallel()
	secret, obj := keys("keys", "key-one"), connection("smile", "keys")
	w := newWorld(t, secret, keys("other", "key-two"))
	clock := w.config.Clock.(*clocktesting.FakeClock)
	one := w.refresh(t, obj)
	two := w.refresh(t, connection("other", "other"))
	w.connections = map[types.NamespacedName]*Connection{} // another process
	if err := w.kube.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	ref := v1alpha1.ConnectionReference{Name: "smile"}
	uses := func(want *Connection) {
		t.Helper()
		got, err := w.ForStandby(t.Context(), "n", ref)
		if err != nil || got.Fingerprint() != want.Fingerprint() {
			t.Errorf("%v, %v", got, err)
		}
	}
	refuses := func(reason string) {
		t.Helper()
		if got, err := w.ForStandby(t.Context(), "n", ref); !problem.Is(err, reason) {
			t.Errorf("%v, %v, want %s", got, err, reason)
		}
	}
	refuses(v1alpha1.ReasonThrottled) // the leader has not checked the connection yet
	w.shownBy(t, obj, two)
	refuses(v1alpha1.ReasonThrottled) // the leader has proven another pair
	w.shownBy(t, obj, one)
	clock.Step(standbyPause)
	uses(one)

	secret.Data["apiKey"] = []byte("key-two")
	if err := w.kube.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	uses(one)
	clock.Step(standbyReread)
	uses(one) // the leader has not proven the pair that is in the Secret
	w.shownBy(t, obj, two)
	clock.Step(standbyPause)
	uses(two)

	if err := w.kube.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	uses(two)
	clock.Step(standbyReread)
	refuses(v1alpha1.ReasonSecretNotFound)
	refuses(v1alpha1.ReasonSecretNotFound) // although the pair is still known
	if calls := w.calls.Load(); calls != 0 {
		t.Errorf("%d calls", calls)
	}
}

func TestAStandbyReadsTheSecretOnceInAWhile(t *testing.T) {
	t.Parallel()
	var reads standbyReads
	now, name := time.Now(), types.NamespacedName{Namespace: "n", Name: "smile"}
	for _, step := range []struct {
		after          time.Duration
		known, settled bool
		want           bool
	}{
		{0, false, false, true},
		{0, true, false, false},
		{standbyPause, true, false, true},
		{standbyPause, true, true, false},
		{standbyReread, true, true, true},
		{0, false, false, true},
	} {
		now = now.Add(step.after)
		if got := reads.take(name, now, step.known, step.settled); got != step.want {
			t.Errorf("%+v: %v", step, got)
		}
	}
	reads.forget(name)
	if !reads.take(name, now, true, true) {
		t.Error("not read again after a failure")
	}
}
