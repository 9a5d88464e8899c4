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

// pairOf is the pair of the fixture's subscription.
var pairOf = hook.Pair{ID: "pair", Path: hook.NewPath(), Secret: hook.NewSecret()}

// apiServerWith is an API server with a SmileUser, and a subscription with this pair.
func apiServerWith(t *testing.T, pair hook.Pair) *stored {
	t.Helper()
	return apiServer(t, append(registration(t, pair), person())...)
}

// httpServer is the HTTP server of a receiver.
func httpServer(t *testing.T, kube *stored) *http.Server {
	t.Helper()
	under, _ := (&Server{Cache: kube, Live: kube, Now: time.Now, Log: logr.Discard()}).server(t.Context())
	return under
}

// registration is a subscription with a pair, and the Secret of the pairs.
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

// fixture is a receiver without a network, for the events of one user.
type fixture struct {
	*handler
	kube *stored
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return restarted(t, apiServerWith(t, pairOf))
}

// restarted is a new receiver on an existing API server.
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

// eventOf is the body of an event about the fixture's user. It happened just before a bubble's clock starts.
func eventOf(kind string) string {
	return fmt.Sprintf(`{"id":"et-1","version":1,"type":%q,"createdAt":"1999-12-31T23:59:24Z","data":{"userId":"u-1","accountId":"a-1"}}`, kind)
}

// Sign returns the signature of a body, as Smile computes it.
func Sign(body, secret string) string {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// delivery is a request with an event, as Smile sends it.
func delivery(ctx context.Context, path string, body io.Reader, signature string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, hook.Prefix+path, body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(smile.SignatureHeader, signature)
	return r
}

// genuineOf is a delivery of this body, signed with the fixture's pair.
func genuineOf(ctx context.Context, body string) *http.Request {
	return delivery(ctx, pairOf.Path.Reveal(), strings.NewReader(body), Sign(body, pairOf.Secret.Reveal()))
}

// answerTo returns the status of the response to a request.
func (d *fixture) answerTo(r *http.Request) int {
	answer := httptest.NewRecorder()
	d.ServeHTTP(answer, r)
	return answer.Code
}
