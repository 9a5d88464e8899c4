package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// definition answers for the CustomResourceDefinition of SmileUsers.
type definition struct {
	client.Reader

	deleted bool
	err     error
}

func (d definition) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	if key.Name != "smileusers.smile-operator.io" {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "customresourcedefinitions"}, key.Name)
	}
	if d.deleted {
		obj.SetDeletionTimestamp(&metav1.Time{Time: time.Now()})
	}
	return d.err
}

// Deleting the CustomResourceDefinition deletes all objects of the kind, and is not meant to undo anything at Smile, which could
// not be reversed. While the definition cannot be read, nothing is undone either.
func TestADeletedKindUndoesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		definition   definition
		undone, held bool
	}{
		"the kind stays":        {definition: definition{}, undone: true},
		"the kind is deleted":   {definition: definition{deleted: true}},
		"the kind is not known": {definition: definition{err: errors.New("no answer")}, held: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, user := stored(t)
			user.Finalizers = []string{v1alpha1.FinalizerRevoke}
			if err := errors.Join(c.Update(t.Context(), user), c.Delete(t.Context(), user)); err != nil {
				t.Fatal(err)
			}
			r, undone := reconciled(c, nil), false
			r.Kind.Undo = &Undo[*v1alpha1.SmileUser]{
				Finalizer: v1alpha1.FinalizerRevoke,
				Needed:    func(*v1alpha1.SmileUser) bool { return true },
				Live:      test.definition,
				Run: func(context.Context, *Run[*v1alpha1.SmileUser]) error {
					undone = true
					return nil
				},
			}
			_, err := r.Reconcile(t.Context(), requestFor(user))
			if (err != nil) != test.held || undone != test.undone {
				t.Errorf("undone: %v, want %v; error %v", undone, test.undone, err)
			}
			err = c.Get(t.Context(), client.ObjectKeyFromObject(user), user)
			if gone := apierrors.IsNotFound(err); gone == test.held {
				t.Errorf("deleted: %v, want %v", gone, !test.held)
			}
		})
	}
}

// held has a finalizer hold the object, and returns it.
func (l *life) held() *v1alpha1.SmileUser {
	l.t.Helper()
	l.Kind.Undo = &Undo[*v1alpha1.SmileUser]{
		Finalizer: v1alpha1.FinalizerRevoke,
		Needed:    func(*v1alpha1.SmileUser) bool { return true },
		Live:      definition{},
		Run: func(context.Context, *Run[*v1alpha1.SmileUser]) error {
			return errors.New("the deletion changed something at Smile")
		},
	}
	return l.user
}

// released is the stored object with or without its finalizer, as an uninstall leaves it.
func (l *life) released(until string, finalizers ...string) {
	l.t.Helper()
	if err := l.c.Get(l.t.Context(), client.ObjectKeyFromObject(l.user), l.user); err != nil {
		l.t.Fatal(err)
	}
	l.user.Finalizers = finalizers
	l.user.Annotations = map[string]string{v1alpha1.AnnotationReleasedUntil: until}
	if err := l.c.Update(l.t.Context(), l.user); err != nil {
		l.t.Fatal(err)
	}
}

// An uninstall releases an object for a while. When that ends, because the operator still runs or was installed again, it holds the
// object again.
func TestAnUninstallReleasesForAWhile(t *testing.T) {
	t.Parallel()
	for _, suspended := range []bool{false, true} {
		l := newLife(t)
		user := l.held()
		user.Spec.Suspend = suspended
		l.released(l.clock.Now().Add(15 * time.Minute).Format(time.RFC3339))
		result, err := l.ends(nil)
		if err != nil || result.RequeueAfter <= 14*time.Minute || result.RequeueAfter > 15*time.Minute {
			t.Errorf("suspended %v: due after %s, want 15 minutes; error %v", suspended, result.RequeueAfter, err)
		}
		if got := l.stored(); len(got.Finalizers) > 0 {
			t.Errorf("suspended %v: held while released: %v", suspended, got.Finalizers)
		}
		l.clock.Step(15 * time.Minute)
		if _, err := l.ends(nil); err != nil {
			t.Fatal(err)
		}
		if got := l.stored(); len(got.Finalizers) != 1 || len(got.Annotations) > 0 {
			t.Errorf("suspended %v: after the uninstall: finalizers %v, annotations %v", suspended, got.Finalizers, got.Annotations)
		}
	}
}

func TestADeletionWhileReleasedUndoesNothing(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	user := l.held()
	l.released(l.clock.Now().Add(time.Minute).Format(time.RFC3339), v1alpha1.FinalizerRevoke)
	if err := l.c.Delete(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	if _, err := l.ends(nil); err != nil {
		t.Fatal(err)
	}
	if err := l.c.Get(t.Context(), client.ObjectKeyFromObject(user), user); !apierrors.IsNotFound(err) {
		t.Errorf("reading the object: %v", err)
	}
}

// A release that is too long, over, or no time must not turn revokes off.
func TestOnlyAShortReleaseCounts(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.held()
	for _, until := range []string{
		"true", l.clock.Now().Format(time.RFC3339), l.clock.Now().Add(longestRelease + time.Second).Format(time.RFC3339),
	} {
		l.released(until)
		if _, err := l.ends(nil); err != nil {
			t.Fatal(err)
		}
		if got := l.stored(); len(got.Finalizers) != 1 {
			t.Errorf("released by %q", until)
		}
	}
}

func (l *life) stored() *v1alpha1.SmileUser {
	l.t.Helper()
	user := &v1alpha1.SmileUser{}
	if err := l.c.Get(l.t.Context(), client.ObjectKeyFromObject(l.user), user); err != nil {
		l.t.Fatal(err)
	}
	return user
}
