package testenv

import (
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/smile-operator/smile-operator/internal/broker"
	"github.com/smile-operator/smile-operator/internal/identity"
)

// Access is an administrator's access to the API server.
func (w *World) Access() *rest.Config {
	w.Helper()
	running, err := shared()
	w.must(err)
	return running.plane.Config()
}

// ServiceAccount creates a service account in the world's namespace.
func (w *World) ServiceAccount(name string) *corev1.ServiceAccount {
	w.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	w.Create(account)
	return account
}

// Token is a token of a service account for an audience; for the API server itself without.
func (w *World) Token(account *corev1.ServiceAccount, audiences ...string) string {
	w.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: audiences, ExpirationSeconds: ptr.To(int64(600)),
	}}
	w.must(w.Client.SubResource("token").Create(w.Context(), account, request))
	return request.Status.Token
}

// ExpiredToken is a token of a service account that was valid until an hour ago.
func (w *World) ExpiredToken(account *corev1.ServiceAccount, audience string) string {
	w.Helper()
	return w.signed(account, audience, time.Now().Add(-time.Hour))
}

// SignedToken is like Token. It shows that ExpiredToken differs only in its age.
func (w *World) SignedToken(account *corev1.ServiceAccount, audience string) string {
	w.Helper()
	return w.signed(account, audience, time.Now().Add(time.Hour))
}

func (w *World) signed(account *corev1.ServiceAccount, audience string, expires time.Time) string {
	w.Helper()
	running, err := shared()
	w.must(err)
	issued := expires.Add(-2 * time.Hour).Unix()
	token, err := running.plane.SignToken(map[string]any{
		"iss": running.plane.Config().Host, "sub": "system:serviceaccount:" + account.Namespace + ":" + account.Name,
		"aud": []string{audience}, "exp": expires.Unix(), "iat": issued, "nbf": issued,
		"kubernetes.io": map[string]any{
			"namespace": account.Namespace, "serviceaccount": map[string]any{"name": account.Name, "uid": account.UID},
		},
	})
	w.must(err)
	return token
}

// People mints link tokens for callers of the application API.
func (o *Operator) People() *broker.People { return o.controllers.People }

// Links makes and opens links to the hosted page, as this process does.
func (o *Operator) Links() *broker.Links { return o.controllers.Links }

// Identity is the key of the installation.
func (o *Operator) Identity() identity.Key { return o.key }
