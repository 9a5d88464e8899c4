package receiver

import (
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// pairOf is what the subscription of a desk is registered with.
var pairOf = hook.Pair{ID: "pair", Path: hook.NewPath(), Secret: hook.NewSecret()}

// knowing is an API server with a person, and a subscription with this pair.
func apiServerWith(t *testing.T, pair hook.Pair) *stored {
	t.Helper()
	return apiServer(t, append(registration(t, pair), person())...)
}

// over is what serves HTTP for a receiver on an API server.
func httpServer(t *testing.T, kube *stored) *http.Server {
	t.Helper()
	under, _ := (&Server{Cache: kube, Live: kube, Now: time.Now, Log: logr.Discard()}).server(t.Context())
	return under
}

// registration is a subscription with a pair, and the Secret that holds the pairs.
func registration(t *testing.T, pair hook.Pair) []client.Object {
	t.Helper()
	sub := subscription()
	sub.UID, sub.Status.SecretName = "events-uid", hook.SecretName(sub.Name)
	sub.Status.Registrations = []v1alpha1.WebhookRegistration{{ID: pair.ID, PathHash: hook.HashPath(pair.Path.Reveal())}}
	document, err := hook.MarshalPairs([]hook.Pair{pair})
	if err != nil {
		t.Fatal(err)
	}
	return []client.Object{sub, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: sub.Namespace, Name: sub.Status.SecretName,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(sub, v1alpha1.GroupVersion.WithKind("SmileWebhookSubscription"))},
		},
		Data: map[string][]byte{hook.KeyPairs: document},
	}}
}

// desk is a receiver without a network, of the events of one person.
type fixture struct {
	*handler
	kube *stored
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return restarted(t, apiServerWith(t, pairOf))
}

// restarted is a receiver that remembers nothing, on what the API server holds.
func restarted(t *testing.T, kube *stored) *fixture {
	t.Helper()
	server := &Server{Cache: kube, Live: kube, Now: time.Now, Log: logr.Discard()}
	life, end := context.WithCancel(context.WithoutCancel(t.Context()))
	hints := &hinter{cache: kube, live: kube, now: time.Now, life: life}
	t.Cleanup(func() {
		end()
		hints.work.Wait()
	})
	return &fixture{newHandler(server, hints), kube}
}

// eventOf is the body of an event about the person of a desk, which happened just before the clock of a bubble starts.
func eventOf(kind string) string {
	return fmt.Sprintf(`{"id":"et-1","version":1,"type":%q,"createdAt":"1999-12-31T23:59:24Z","data":{"userId":"u-1","accountId":"a-1"}}`, kind)
}

// Sign gives the signature of a body, as Smile makes it.
func Sign(body, secret string) string {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// delivery is a request with an event, as Smile makes it.
func delivery(ctx context.Context, path string, body io.Reader, signature string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, hook.Prefix+path, body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(smile.SignatureHeader, signature)
	return r
}

// genuineOf is a delivery of this body with the pair of a desk.
func genuineOf(ctx context.Context, body string) *http.Request {
	return delivery(ctx, pairOf.Path.Reveal(), strings.NewReader(body), Sign(body, pairOf.Secret.Reveal()))
}

// answerTo gives the status of the answer to a request.
func (d *fixture) answerTo(r *http.Request) int {
	answer := httptest.NewRecorder()
	d.ServeHTTP(answer, r)
	return answer.Code
}
