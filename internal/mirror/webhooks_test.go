package mirror

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// webhookLister counts listings, and returns them when let is closed.
func webhookLister(t *testing.T, items string) (client *smile.Client, calls *atomic.Int64, let chan struct{}) {
	t.Helper()
	calls, let = &atomic.Int64{}, make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		<-let
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"code":"OK","data":{"items":[%s]}}`, items)
	}))
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL + "/v1")
	if err != nil {
		t.Fatal(err)
	}
	return smile.NewClient(base, server.Client()), calls, let
}

func TestWebhooksAreListedOnceForAllCallers(t *testing.T) {
	ours := hook.Name{UID: "one", Pair: "p"}
	secret := "CNRY" + strings.Repeat("s", 40)
	client, calls, let := webhookLister(t, fmt.Sprintf(
		`{"id":"w-1","name":%q,"url":"https://x/","eventTypes":["B","A"],"active":true,"secret":%q},
		 {"id":"w-2","name":"somebody's","url":"https://CNRY/","eventTypes":["A"],"active":true,"secret":"CNRY"},
		 {"id":"w-3","name":%q,"url":"https://x/","eventTypes":["A"],"active":false}`, ours, secret, hook.Name{UID: "two", Pair: "q"}))
	clock := clocktesting.NewFakeClock(time.Now())
	m := Mirror{newShared(NewSet(t.Context(), Config{Clock: clock}), "account"), client}
	began := clock.Now()
	var work sync.WaitGroup
	for range 20 {
		work.Go(func() {
			listed, readAt, err := m.Webhooks(t.Context(), began)
			if err != nil || len(listed) != 2 || !readAt.Equal(began) {
				t.Errorf("%v, %v, %v", listed, readAt, err)
			}
		})
	}
	close(let)
	work.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("%d listings", n)
	}
	clock.Step(time.Minute)
	listed, readAt, err := m.Webhooks(t.Context(), began)
	if err != nil || !readAt.Equal(began) || calls.Load() != 1 {
		t.Errorf("the last listing suffices: %v, %v, %d", readAt, err, calls.Load())
	}
	if shown := fmt.Sprintf("%+v %#v", listed, listed); strings.Contains(shown, "CNRY") {
		t.Error("a secret is kept")
	}
	mine := WebhooksOf(listed, "one")
	if len(mine) != 1 || mine[0].ID != "w-1" || mine[0].Name != ours {
		t.Fatalf("of the first object: %+v", mine)
	}
	right := smile.NewWebhook{URL: smile.NewSensitive("https://x/"), EventTypes: []smile.EventType{"A", "B"}, Secret: smile.NewSensitive(secret)}
	if !mine[0].Is(right) {
		t.Error("a webhook does not equal its registration")
	}
	for what, spoil := range map[string]func(*smile.NewWebhook){
		"url": func(w *smile.NewWebhook) { w.URL = smile.NewSensitive("https://y/") }, "event": func(w *smile.NewWebhook) { w.EventTypes = []smile.EventType{"A", "C"} },
		"secret": func(w *smile.NewWebhook) { w.Secret = smile.NewSensitive("x") }, "payload": func(w *smile.NewWebhook) { w.IncludePayload = true },
	} {
		other := right
		spoil(&other)
		if mine[0].Is(other) {
			t.Errorf("another %s does not matter", what)
		}
	}
	right.EventTypes = []smile.EventType{"A"}
	if !mine[0].Is(right) {
		t.Error("a webhook with more event types does not equal its registration")
	}
	if WebhooksOf(listed, "two")[0].Is(right) {
		t.Error("whether a webhook is active does not matter")
	}
	m.DropWebhook("w-1")
	if _, _, err := m.Webhooks(t.Context(), clock.Now()); err != nil || calls.Load() != 2 {
		t.Errorf("a fresh listing: %v, %d", err, calls.Load())
	}
}

func TestAWebhookListingThatFailsIsRetried(t *testing.T) {
	client, _, let := webhookLister(t, `{"id":"../x"}`)
	close(let)
	m := Mirror{newShared(NewSet(t.Context(), Config{Clock: clocktesting.NewFakeClock(time.Now())}), "account"), client}
	for range 2 {
		if listed, _, err := m.Webhooks(t.Context(), time.Time{}); err == nil {
			t.Errorf("%v", listed)
		}
	}
}

// A panic ends only its own caller. One of the others makes another listing.
func TestAWebhookListingThatPanicsIsRetriedByAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.during = func(call int) {
			time.Sleep(time.Second)
			if call == 1 {
				panic("it went wrong")
			}
		}
		var work sync.WaitGroup
		work.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was not passed on to the caller")
				}
			}()
			_, _, _ = m.Webhooks(t.Context(), time.Time{})
		})
		for range 20 {
			work.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				time.Sleep(time.Millisecond)
				if _, _, err := m.Webhooks(ctx, time.Time{}); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		assertCalls(t, r, "webhooks", "webhooks")
	})
}
