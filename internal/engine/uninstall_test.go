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
