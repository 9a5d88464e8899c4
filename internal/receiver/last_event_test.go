package receiver

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

func TestOfReplicasThatSeeTheSameOneTells(t *testing.T) {
	t.Parallel()
	stored := &v1alpha1.SmileWebhookSubscription{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "events", UID: "uid"}}
	live := apiServer(t, stored)
	read := func() *v1alpha1.SmileWebhookSubscription {
		t.Helper()
		sub := &v1alpha1.SmileWebhookSubscription{}
		if err := live.Get(t.Context(), client.ObjectKeyFromObject(stored), sub); err != nil {
			t.Fatal(err)
		}
		return sub
	}
	now := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	replica := func(behind time.Duration) *lastEvent {
		return &lastEvent{live: live, now: func() time.Time { return now.Add(-behind) }}
	}
	one, other, seen := replica(0), replica(time.Second), read()
	one.tell(t.Context(), seen)
	other.tell(t.Context(), seen)
	told := read()
	if !told.Status.LastEventAt.Time.Equal(now) {
		t.Fatalf("the last event is shown at %s, and came to the first at %s", told.Status.LastEventAt, now)
	}
	other.tell(t.Context(), told)
	if got := read().ResourceVersion; got != told.ResourceVersion {
		t.Error("both told")
	}

	now = now.Add(coarse)
	behind := read()
	fresh := read()
	fresh.Status.SecretName = "events-webhook" // something else that was written meanwhile
	if err := live.Status().Update(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	one.tell(t.Context(), behind)
	one.tell(t.Context(), read())
	if got := read().Status.LastEventAt; !got.Time.Equal(now) {
		t.Errorf("what met another write is not made up for: %s", got)
	}
}
