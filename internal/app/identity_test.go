package app_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/app"
	"github.com/smile-operator/smile-operator/internal/controlplane"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/output"
)

const system = "default"

func startPlane(t *testing.T) (*rest.Config, client.Client) {
	t.Helper()
	root, err := controlplane.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	plane, err := controlplane.Start(t.Context(), controlplane.Options{CRDs: []string{filepath.Join(root, "config", "crd", "bases")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	scheme, err := app.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	admin, err := client.New(plane.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return plane.Config(), admin
}

// proven makes a connection whose status shows that an operator with an identity key worked with it.
func proven(t *testing.T, admin client.Client) {
	t.Helper()
	connection := &v1alpha1.SmileConnection{
		ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "smile"},
		Spec: v1alpha1.SmileConnectionSpec{
			Mode: v1alpha1.ModeSandbox, CredentialsSecretRef: v1alpha1.CredentialsSecretReference{Name: "keys"},
		},
	}
	if err := admin.Create(t.Context(), connection); err != nil {
		t.Fatal(err)
	}
	connection.Status.Credentials = &v1alpha1.CredentialsStatus{Fingerprint: "of an earlier process"}
	if err := admin.Status().Update(t.Context(), connection); err != nil {
		t.Fatal(err)
	}
}

func TestTheOperatorDoesNotStartWithoutTheIdentityKeyOfItsObjects(t *testing.T) {
	t.Parallel()
	access, admin := startPlane(t)
	proven(t, admin)
	options := app.Options{MetricsBindAddress: "0", HealthProbeBindAddress: "0", OperatorNamespace: system}
	refused := func(part string) {
		t.Helper()
		_, err := app.NewManager(t.Context(), access, options)
		if err == nil || !strings.Contains(err.Error(), system+"/"+output.IdentitySecret) || !strings.Contains(err.Error(), part) {
			t.Fatalf("the start without the key gives %v", err)
		}
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: output.IdentitySecret}}
	refused("SmileConnection " + system + "/smile")
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); client.IgnoreNotFound(err) != nil || err == nil {
		t.Fatalf("the refused start left an identity Secret: %v", err)
	}
	secret.Data = map[string][]byte{"kye": make([]byte, identity.KeySize)}
	if err := admin.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	options.NewIdentityKey = true
	refused("delete the Secret")
	if err := admin.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	if _, err := app.NewManager(t.Context(), access, options); err != nil {
		t.Fatalf("the start with a new key gives %v", err)
	}
}

func TestReplicasThatStartAtOnceHaveOneIdentity(t *testing.T) {
	t.Parallel()
	_, admin := startPlane(t)
	const replicas = 8
	digests := make(chan identity.Digest, replicas)
	var starting sync.WaitGroup
	for range replicas {
		starting.Go(func() {
			key, err := output.Identity(context.WithoutCancel(t.Context()), admin, output.IdentityOptions{Namespace: system})
			if err != nil {
				t.Error(err)
			}
			digests <- key.Digest(identity.Subject{Name: "george"})
		})
	}
	starting.Wait()
	close(digests)
	first := <-digests
	for other := range digests {
		if other != first {
			t.Fatal("two replicas have different keys")
		}
	}
}
