package uninstall

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/fake"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// TestOnlyTheShardIsReleased checks that the uninstall of one shard leaves the objects of the others as they are.
func TestOnlyTheShardIsReleased(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	user := func(name, shard string) runtime.Object {
		return &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, Labels: map[string]string{"shard": shard}, Finalizers: []string{v1alpha1.FinalizerRevoke},
		}}
	}
	users := kind{v1alpha1.GroupVersion.WithResource("smileusers"), "SmileUser"}
	for selector, want := range map[string]int{"": 2, "shard=a": 1} {
		r := &releaser{
			Options: Options{Selector: selector},
			objects: fake.NewSimpleDynamicClient(scheme, user("ann", "a"), user("bob", "b")), kinds: []kind{users},
		}
		found, err := r.list(t.Context())
		if err != nil || len(found) != want {
			t.Errorf("with the selector %q: %d objects, %v; want %d", selector, len(found), err, want)
		}
	}
	if err := (&Options{Selector: "shard in"}).Validate(); err == nil {
		t.Error("an invalid selector is accepted")
	}
}
