package controlplane

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestWhatACustomResourceOwnsIsCollected(t *testing.T) {
	t.Parallel()
	_, c := running(t)
	namespace := makeNamespace(t, c)
	owner := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "controlplane.test/v1",
		"kind":       "Owner",
		"metadata":   map[string]any{"name": "owner", "namespace": namespace},
	}}
	create(t, c, owner)
	owned := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Name: "owned", Namespace: namespace,
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "controlplane.test/v1", Kind: "Owner", Name: owner.GetName(), UID: owner.GetUID(),
		}},
	}}
	stays := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "stays", Namespace: namespace}}
	create(t, c, owned, stays)

	if err := c.Delete(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, c, owned)
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(stays), stays); err != nil {
		t.Errorf("an object without an owner was deleted too: %v", err)
	}
}

func TestANamespaceGoesAwayWithItsContents(t *testing.T) {
	t.Parallel()
	_, c := running(t)
	namespace := makeNamespace(t, c)
	content := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "content", Namespace: namespace}}
	create(t, c, content)

	if err := c.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	awaitGone(t, c, content)
}

func TestAServiceAccountHasItsRightsAndNoOthers(t *testing.T) {
	t.Parallel()
	cp, c := running(t)
	namespace, elsewhere := makeNamespace(t, c), makeNamespace(t, c)
	account := types.NamespacedName{Namespace: namespace, Name: "reader"}

	if _, err := cp.KubeconfigFor(t.Context(), account); !apierrors.IsNotFound(err) {
		t.Errorf("a service account that does not exist got %v", err)
	}
	create(t, c,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account.Name, Namespace: namespace}},
		&rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Name: "read", Namespace: namespace},
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "list"}}},
		},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "read", Namespace: namespace},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "read"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account.Name, Namespace: namespace}},
		})

	raw, err := cp.KubeconfigFor(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	file, err := clientcmd.Load(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := file.Contexts[file.CurrentContext].Namespace; got != namespace {
		t.Errorf("the context names namespace %q, want %q", got, namespace)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(raw)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}

	for name, tt := range map[string]struct {
		list    client.ObjectList
		in      string
		allowed bool
	}{
		"config maps":            {&corev1.ConfigMapList{}, namespace, true},
		"secrets":                {&corev1.SecretList{}, namespace, false},
		"config maps elsewhere":  {&corev1.ConfigMapList{}, elsewhere, false},
		"config maps everywhere": {&corev1.ConfigMapList{}, "", false},
	} {
		err := reader.List(t.Context(), tt.list, client.InNamespace(tt.in))
		if tt.allowed && err != nil || !tt.allowed && !apierrors.IsForbidden(err) {
			t.Errorf("%s: got %v, want allowed: %v", name, err, tt.allowed)
		}
	}
}

func TestTheAdministratorsKubeconfigWorks(t *testing.T) {
	t.Parallel()
	cp, _ := running(t)
	raw, err := cp.Kubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(raw)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.List(t.Context(), &corev1.SecretList{}); err != nil {
		t.Error(err)
	}
}

func makeNamespace(t *testing.T, c client.Client) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	create(t, c, namespace)
	return namespace.Name
}

func create(t *testing.T, c client.Client, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

func awaitGone(t *testing.T, c client.Client, object client.Object) {
	t.Helper()
	key := client.ObjectKeyFromObject(object)
	await(t, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, key, object)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}

func await(t *testing.T, done wait.ConditionWithContextFunc) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, done); err != nil {
		t.Fatal(err)
	}
}
