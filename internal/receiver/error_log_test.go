package receiver

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/hook"
)

// broken is an API server whose lists or gets fail, or a cache whose watches were interrupted early.
type broken struct {
	client.Client
	list, get error
	blind     bool
}

func (b *broken) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if b.blind {
		return nil
	}
	return errors.Join(b.list, b.Client.List(ctx, list, options...))
}

func (b *broken) Get(ctx context.Context, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
	return errors.Join(b.get, b.Client.Get(ctx, key, obj, options...))
}

// The reason why an event is not accepted is logged, rarely and without the contents of the event.
func TestRefusedEventsAreLogged(t *testing.T) {
	forbidden := errors.New("it is forbidden")
	unknown := func(ctx context.Context) *http.Request {
		return delivery(ctx, "unknown-path", strings.NewReader("{}"), "")
	}
	known := func(ctx context.Context) *http.Request { return genuineOf(ctx, eventOf(urgentKind)) }
	for name, test := range map[string]struct {
		cache, live broken
		unpaired    bool
		request     func(context.Context) *http.Request
		status      int
		logged      []string
	}{
		"the cache cannot list":      {broken{list: forbidden}, broken{}, false, known, http.StatusServiceUnavailable, []string{"cannot be listed", "forbidden"}},
		"the API server cannot list": {broken{}, broken{list: forbidden}, false, unknown, http.StatusServiceUnavailable, []string{"cannot be listed", "forbidden"}},
		"the Secret cannot be read":  {broken{}, broken{get: forbidden}, false, known, http.StatusServiceUnavailable, []string{"cannot be read", "forbidden", "n/events"}},
		"the cache shows nothing":    {broken{blind: true}, broken{}, false, known, http.StatusServiceUnavailable, []string{"the cache lags", "n/events"}},
		"the Secret lacks the pair":  {broken{}, broken{}, true, known, http.StatusServiceUnavailable, []string{"does not hold the pair", "n/events"}},
		"an invalid event": {broken{}, broken{}, false, func(ctx context.Context) *http.Request {
			return genuineOf(ctx, `{"id":"et-1","data":{"userId":"George"}}`)
		}, http.StatusBadRequest, []string{"genuine event", "missing field type", "n/events"}},
		"a forgery": {broken{}, broken{}, false, unknown, http.StatusUnauthorized, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kube := apiServerWith(t, pairOf)
				if test.unpaired {
					secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: hook.SecretName("events")}}
					if err := kube.Delete(t.Context(), secret); err != nil {
						t.Fatal(err)
					}
				}
				test.cache.Client, test.live.Client = kube, kube
				var logged []string
				server := &Server{
					Cache: &test.cache, Live: &test.live, Now: time.Now,
					Log: funcr.New(func(prefix, args string) { logged = append(logged, prefix+args) }, funcr.Options{}),
				}
				d := &fixture{newHandler(server, &hinter{cache: &test.cache, live: kube, now: time.Now, life: t.Context()}), kube}
				const span = 25 * time.Second
				for began := time.Now(); time.Since(began) < span; <-time.After(300 * time.Millisecond) {
					if got := d.answerTo(test.request(t.Context())); got != test.status {
						t.Fatalf("%d, want %d", got, test.status)
					}
				}
				wantLines := 0
				if test.logged != nil {
					wantLines = int(span/errorInterval) + 1
				}
				if len(logged) != wantLines {
					t.Errorf("%d lines in %s, want %d: %q", len(logged), span, wantLines, logged)
				}
				for _, line := range logged {
					mustTell(t, line, test.logged)
				}
			})
		})
	}
}

func mustTell(t *testing.T, line string, words []string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(line, word) {
			t.Errorf("%q is not in %q", word, line)
		}
	}
	secret := pairOf.Secret.Reveal()
	for _, private := range []string{pairOf.Path.Reveal(), secret, "unknown-path", "George", "et-1", "u-1", Sign(eventOf(urgentKind), secret)} {
		if strings.Contains(line, private) {
			t.Errorf("%q is in %q", private, line)
		}
	}
}
