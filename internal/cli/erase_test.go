package cli

import (
	"context"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

func anErasure(t *testing.T, objects ...client.Object) *erasure {
	t.Helper()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	return &erasure{plugin: &plugin{IOStreams: streams}, objects: cluster(t, objects), user: aUser("george", "")}
}

// revoking is a user whose deletion revokes.
func revoking() *v1alpha1.SmileUser {
	user := aUser("george", "smile", ready)
	user.Spec.DeletionPolicy = v1alpha1.UserRevokeAccounts
	user.Finalizers = []string{v1alpha1.FinalizerRevoke}
	return user
}

// A user who is already being deleted is erased only if that deletion revokes the accounts.
func TestErasureOfAUserBeingDeleted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*v1alpha1.SmileUser)
		says   string
	}{
		"revokes":    {change: func(*v1alpha1.SmileUser) {}},
		"retains":    {func(u *v1alpha1.SmileUser) { u.Spec.DeletionPolicy = v1alpha1.UserRetain }, "set spec.deletionPolicy"},
		"by default": {func(u *v1alpha1.SmileUser) { u.Spec.DeletionPolicy = "" }, "set spec.deletionPolicy"},
		"not held":   {func(u *v1alpha1.SmileUser) { u.Finalizers = []string{"example.com/other"} }, "the finalizer"},
		"orphaned": {func(u *v1alpha1.SmileUser) {
			u.Annotations = map[string]string{v1alpha1.AnnotationForceOrphan: string(u.UID)}
		}, "remove the annotation " + v1alpha1.AnnotationForceOrphan},
		"released": {func(u *v1alpha1.SmileUser) {
			u.Annotations = map[string]string{v1alpha1.AnnotationReleasedUntil: "2026-01-01T00:00:00Z"}
		}, "remove the annotation " + v1alpha1.AnnotationReleasedUntil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user := revoking()
			user.DeletionTimestamp = new(metav1.Now())
			test.change(user)
			err := anErasure(t, user).hold(t.Context())
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Before the deletion, the user is made to revoke, and fields that a newer version has added stay.
func TestErasureHoldsTheUser(t *testing.T) {
	t.Parallel()
	user := aUser("george", "smile", ready)
	user.Annotations = map[string]string{
		v1alpha1.AnnotationForceOrphan: string(user.UID), v1alpha1.AnnotationReleasedUntil: "2026-01-01T00:00:00Z", "kept": "yes",
	}
	e := anErasure(t, user)
	e.objects = interceptor.NewClient(e.objects.(client.WithWatch), interceptor.Funcs{
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
			t.Error("an update drops the fields that this version does not know")
			return nil
		},
	})
	if err := e.hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.objects.Get(t.Context(), client.ObjectKeyFromObject(user), user); err != nil {
		t.Fatal(err)
	}
	if a := user.Annotations; len(a) != 1 || a["kept"] != "yes" {
		t.Errorf("annotations %v", a)
	}
	if !slices.Equal(user.Finalizers, []string{v1alpha1.FinalizerRevoke}) || user.Spec.DeletionPolicy != v1alpha1.UserRevokeAccounts {
		t.Errorf("finalizers %v, policy %q", user.Finalizers, user.Spec.DeletionPolicy)
	}
}
