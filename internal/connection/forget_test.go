package connection

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// TestDeletedConnectionsAreForgotten deletes a connection while something, or nothing, still needs its key pair.
func TestDeletedConnectionsAreForgotten(t *testing.T) {
	t.Parallel()
	user := func(connection string, finalizers ...string) client.Object {
		u := &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "george", Finalizers: finalizers}}
		u.Spec.ConnectionRef.Name = connection
		return u
	}
	hooked := &v1alpha1.SmileWebhookSubscription{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "events", Finalizers: []string{v1alpha1.FinalizerWebhook}}}
	hooked.Spec.ConnectionRef.Name = "smile"
	for name, test := range map[string]struct {
		beside client.Object
		kept   bool
	}{
		"nothing":                   {user("smile"), false},
		"a user to be revoked":      {user("smile", v1alpha1.FinalizerRevoke), true},
		"another connection's user": {user("other", v1alpha1.FinalizerRevoke), false},
		"a webhook to be deleted":   {hooked.DeepCopy(), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := connection("smile", "keys", ready)
			w := newWorld(t, keys("keys", "key-one"), conn, connection("stays", "keys"), test.beside)
			first := w.refresh(t, conn)
			if err := first.Prove(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			w.refresh(t, conn)
			w.refresh(t, connection("stays", "keys"))
			w.forgetDeleted(t)
			key := types.NamespacedName{Namespace: "n", Name: "smile"}
			if w.connections[key] == nil || w.good[key] == nil || w.limiters[key] == nil {
				t.Fatal("a connection that exists was forgotten")
			}
			if err := w.kube.Delete(t.Context(), conn); err != nil {
				t.Fatal(err)
			}
			w.forgetDeleted(t)
			if kept := w.connections[key] != nil && w.good[key] != nil && w.limiters[key] != nil; kept != test.kept {
				t.Errorf("kept: %v", kept)
			}
			if _, err := w.ForUndo(t.Context(), "n", v1alpha1.ConnectionReference{Name: "smile"}); (err == nil) != test.kept {
				t.Errorf("for a deletion: %v", err)
			}
			if w.connections[types.NamespacedName{Namespace: "n", Name: "stays"}] == nil {
				t.Error("another connection was forgotten")
			}
		})
	}
}

// TestTheFormerPairOfADeletedConnectionIsForgotten re-creates a connection under the same name.
func TestTheFormerPairOfADeletedConnectionIsForgotten(t *testing.T) {
	t.Parallel()
	conn := connection("smile", "keys", ready)
	w := newWorld(t, keys("keys", "key-one"), keys("fresh", "key-two"), conn)
	former := w.refresh(t, conn)
	if err := former.Prove(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	again := connection("smile", "fresh", func(c *v1alpha1.SmileConnection) { c.UID = "uid-2" })
	if err := w.kube.Delete(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if err := w.kube.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	fresh := w.refresh(t, again)
	w.forgetDeleted(t)
	key := types.NamespacedName{Namespace: "n", Name: "smile"}
	if w.good[key] != nil || w.connections[key] != fresh || w.limiters[key] == nil {
		t.Errorf("remembered: %v, %v", w.good[key], w.connections[key])
	}
}

func (w *world) forgetDeleted(t *testing.T) {
	t.Helper()
	if err := w.ForgetDeleted(t.Context()); err != nil {
		t.Fatal(err)
	}
}
