package receiver

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// An event of one connection concerns the users of all connections with the same API account.
func TestWhichConnectionsAreOfOneAccount(t *testing.T) {
	const sandbox, alias = "https://sandbox.smileapi.io/v1", "https://open-sandbox.smileapi.io/v1"
	connection := func(name, endpoint, fingerprint string) *v1alpha1.SmileConnection {
		conn := &v1alpha1.SmileConnection{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}}
		conn.Status.Endpoint = endpoint
		if fingerprint != "" {
			conn.Status.Credentials = &v1alpha1.CredentialsStatus{Fingerprint: fingerprint}
		}
		return conn
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	h := &hinter{cache: fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		connection("smile", sandbox, "pair"), connection("same", sandbox, "pair"), connection("alias", alias, "pair"),
		connection("other-pair", sandbox, "pair-2"), connection("other-host", "https://open.smileapi.io/v1", "pair"),
		connection("unproven", sandbox, ""),
	).Build()}
	sub := &v1alpha1.SmileWebhookSubscription{ObjectMeta: metav1.ObjectMeta{Namespace: "n"}}
	sub.Spec.ConnectionRef.Name = "smile"
	for name, want := range map[string]bool{
		"smile": true, "same": true, "alias": true, "other-pair": false, "other-host": false, "unproven": false, "none": false,
	} {
		user := &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Namespace: "n"}}
		user.Spec.ConnectionRef.Name = name
		if got, err := h.sameAccount(t.Context(), sub, user); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
