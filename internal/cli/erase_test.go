package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
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

// outputOf is an output of a sync.
func outputOf(sync *v1alpha1.SmileAccountSync, name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: sync.Namespace, Name: name, Annotations: map[string]string{v1alpha1.AnnotationOwner: string(sync.UID)},
	}}
}

// release removes what holds an object, a minute from now.
func release(t *testing.T, objects client.Client, o client.Object) {
	t.Helper()
	time.Sleep(time.Minute)
	if err := objects.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Error(err)
	}
	o.SetFinalizers(nil)
	if err := objects.Update(t.Context(), o); err != nil {
		t.Error(err)
	}
}

// The erasure waits for the user, its syncs and all their outputs.
func TestErasureWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		user, sync := revoking(), aSync("george")
		sync.Finalizers = []string{"foregroundDeletion"}
		sync.Status.Output.Others = []v1alpha1.OutputObject{{Kind: "Secret", Name: "george-data-2"}}
		first, second := outputOf(sync, "george-data"), outputOf(sync, "george-data-2")
		other := outputOf(aSync("other"), "other-data")
		e := anErasure(t, user, sync, first, second, other)
		begin, took := time.Now(), time.Duration(0)
		done := make(chan error, 1)
		go func() {
			err := e.erase(t.Context(), true, 5*time.Minute)
			took = time.Since(begin)
			done <- err
		}()
		release(t, e.objects, user)
		release(t, e.objects, sync)
		for _, output := range []*corev1.Secret{first, second} {
			time.Sleep(time.Minute)
			if err := e.objects.Delete(t.Context(), output); err != nil {
				t.Error(err)
			}
		}
		if err := <-done; err != nil || took < 4*time.Minute {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// Objects that are created again under the same names, for example from Git, do not delay the erasure.
func TestErasureOfRecreatedObjects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sync := aSync("george")
		e := anErasure(t, revoking(), sync, outputOf(sync, "george-data"))
		done := make(chan error, 1)
		go func() { done <- e.erase(t.Context(), true, 5*time.Minute) }()
		release(t, e.objects, revoking())
		newSync := aSync("george")
		newSync.UID = "of-another-object"
		newUser := aUser("george", "smile")
		newUser.UID = "of-another-object"
		output := outputOf(newSync, "george-data")
		if err := e.objects.Delete(t.Context(), output); err != nil {
			t.Error(err)
		}
		for _, o := range []client.Object{newUser, newSync, output} {
			if err := e.objects.Create(t.Context(), o); err != nil {
				t.Error(err)
			}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// The time for the erasure begins after the confirmation.
func TestErasureTimeBeginsAfterTheConfirmation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := anErasure(t, revoking())
		in, answer := io.Pipe()
		e.In = in
		done := make(chan error, 1)
		go func() { done <- e.erase(t.Context(), false, 5*time.Minute) }()
		time.Sleep(time.Hour)
		if _, err := io.WriteString(answer, "george\n"); err != nil {
			t.Fatal(err)
		}
		release(t, e.objects, revoking())
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// An interrupt ends the command at the confirmation, and nothing is changed.
func TestErasureInterruptedAtTheConfirmation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := anErasure(t, revoking())
		in, answer := io.Pipe()
		defer func() { _ = answer.Close() }()
		e.In = in
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, interrupt)
		begin := time.Now()
		time.AfterFunc(time.Hour, func() { _ = answer.Close() })
		if err := e.erase(ctx, false, 5*time.Minute); !errors.Is(err, context.Canceled) || time.Since(begin) > time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		user := revoking()
		if err := e.objects.Get(t.Context(), client.ObjectKeyFromObject(user), user); err != nil || user.DeletionTimestamp != nil {
			t.Errorf("the user was changed: %v", err)
		}
	})
}
