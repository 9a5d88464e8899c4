package mirror

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

// registryWith returns a registry that reads the key pair in the Secret shop/keys.
func registryWith(t *testing.T, key identity.Key) *connection.Registry {
	t.Helper()
	kube := kubeWith(t)
	hosts, err := transport.NewHostPolicy("", nil)
	if err != nil {
		t.Fatal(err)
	}
	return connection.NewRegistry(connection.Config{
		Connections: kube, Secrets: kube, Hosts: hosts, Budgets: transport.NewBudgetSet(0),
		Metrics: transport.NewMetrics(), Identity: key, Clock: clock.RealClock{},
	}, func() error { return errors.New("a mirror only reads") })
}

// kubeWith holds that Secret.
func kubeWith(t *testing.T) client.Client {
	t.Helper()
	keys := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "keys"},
		Data:       map[string][]byte{"apiKey": []byte("k"), "apiSecret": []byte("s")},
	}
	return fake.NewClientBuilder().WithScheme(newScheme(t)).WithObjects(keys).Build()
}

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	return scheme
}

// connect returns the connection shop/smile, which calls r.
func connect(t *testing.T, r *remote, key identity.Key) *connection.Connection {
	t.Helper()
	conn, err := registryWith(t, key).Refresh(t.Context(), &v1alpha1.SmileConnection{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "smile", UID: "uid-conn"},
		Spec:       v1alpha1.SmileConnectionSpec{Mode: v1alpha1.ModeSandbox, CredentialsSecretRef: v1alpha1.CredentialsSecretReference{Name: "keys"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	conn.Client = r.client()
	return conn
}

// There is one mirror for each API account, not for each connection.
func TestConnectionsOfOneAccountShareAMirror(t *testing.T) {
	t.Parallel()
	key, _ := identity.NewKey()
	one := connect(t, newRemote(), key)
	two := connect(t, newRemote(), key)
	otherKey, _ := identity.NewKey()
	other := connect(t, newRemote(), otherKey)
	set := NewSet(t.Context(), Config{Clock: clock.RealClock{}})
	if set.For(one).shared != set.For(two).shared || set.For(one).shared == set.For(other).shared {
		t.Error("there is not one mirror for each account")
	}
}
