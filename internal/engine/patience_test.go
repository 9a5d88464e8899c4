package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// A deletion that waits for a remote side that does not respond reports that within
// 10 s.
func TestADeletionThatHangsReportsThatItIsBlocked(t *testing.T) {
	t.Parallel()
	c, user := stored(t)
	user.Finalizers = []string{v1alpha1.FinalizerRevoke}
	if err := c.Update(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r := reconciled(c, nil)
		r.Kind.Undo = &Undo[*v1alpha1.SmileUser]{
			Finalizer: v1alpha1.FinalizerRevoke,
			Needed:    func(*v1alpha1.SmileUser) bool { return true },
			Live:      definition{},
			Run: func(ctx context.Context, _ *Run[*v1alpha1.SmileUser]) error {
				<-ctx.Done()
				return context.Cause(ctx)
			},
		}
		began := time.Now()
		_, err := r.Reconcile(t.Context(), requestFor(user))
		if took := time.Since(began); took > 10*time.Second || err == nil {
			t.Errorf("given up after %s with %v", took, err)
		}
		ready := meta.FindStatusCondition(statusOf(t, c, user).Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Reason != v1alpha1.ReasonDeletionBlocked {
			t.Errorf("Ready is %v", ready)
		}
	})
}
