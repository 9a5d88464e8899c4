package receiver

import (
	"context"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

func showingNothing() *v1alpha1.SmileWebhookSubscription {
	return &v1alpha1.SmileWebhookSubscription{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "events", UID: "uid"}}
}

func readAgain(t *testing.T, live client.Client) *v1alpha1.SmileWebhookSubscription {
	t.Helper()
	sub := &v1alpha1.SmileWebhookSubscription{}
	if err := live.Get(t.Context(), client.ObjectKeyFromObject(showingNothing()), sub); err != nil {
		t.Fatal(err)
	}
	return sub
}

func TestOnlyOneReplicaWritesTheLastEvent(t *testing.T) {
	t.Parallel()
	live := apiServer(t, showingNothing())
	read := func() *v1alpha1.SmileWebhookSubscription {
		t.Helper()
		return readAgain(t, live)
	}
	now := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	replica := func(behind time.Duration) *lastEvent {
		return &lastEvent{live: live, now: func() time.Time { return now.Add(-behind) }}
	}
	one, other, seen := replica(0), replica(time.Second), read()
	one.record(t.Context(), seen)
	other.record(t.Context(), seen)
	updated := read()
	if !updated.Status.LastEventAt.Time.Equal(now) {
		t.Fatalf("the last event is shown at %s, and came at %s", updated.Status.LastEventAt, now)
	}
	other.record(t.Context(), updated)
	if got := read().ResourceVersion; got != updated.ResourceVersion {
		t.Error("both replicas wrote to it")
	}

	now = now.Add(lastEventInterval)
	behind := read()
	fresh := read()
	fresh.Status.SecretName = "events-webhook" // something else that was written meanwhile
	if err := live.Status().Update(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	one.record(t.Context(), behind)
	one.record(t.Context(), read())
	if got := read().Status.LastEventAt; !got.Time.Equal(now) {
		t.Errorf("a conflicting write is not retried: %s", got)
	}
}

// A time from a wrong clock is corrected by the replica that had it, when its clock is right again, and by any other replica.
func TestALastEventInTheFutureIsCorrectedByTheNext(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	for name, corrector := range map[string]func(wrong, other *lastEvent) *lastEvent{
		"the same replica": func(wrong, _ *lastEvent) *lastEvent { return wrong },
		"another":          func(_, other *lastEvent) *lastEvent { return other },
	} {
		live, ahead := apiServer(t, showingNothing()), 30*24*time.Hour
		wrong := &lastEvent{live: live, now: func() time.Time { return now.Add(ahead) }}
		wrong.record(t.Context(), readAgain(t, live))
		ahead = 0
		corrector(wrong, &lastEvent{live: live, now: wrong.now}).record(t.Context(), readAgain(t, live))
		if got := readAgain(t, live).Status.LastEventAt; !got.Time.Equal(now) {
			t.Errorf("%s shows %s", name, got)
		}
	}
}

func TestALastEventThatCouldNotBeStoredIsRetriedAtTheNext(t *testing.T) {
	t.Parallel()
	down := true
	live := interceptor.NewClient(apiServer(t, showingNothing()), interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			if down {
				return errors.New("the API server is down")
			}
			return c.SubResource(sub).Patch(ctx, obj, patch, options...)
		},
	})
	replica := &lastEvent{live: live, now: time.Now}
	replica.record(t.Context(), readAgain(t, live))
	down = false
	replica.record(t.Context(), readAgain(t, live))
	if readAgain(t, live).Status.LastEventAt == nil {
		t.Error("nothing is shown")
	}
}
