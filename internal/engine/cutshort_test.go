package engine

import (
	"context"
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// A reconcile that is interrupted by a shutdown stores what it achieved, so that the next process need not find it out.
func TestTheResultOfAnInterruptedReconcileIsStored(t *testing.T) {
	t.Parallel()
	c, user := stored(t)
	_, err := reconciled(c, func(_ context.Context, r *Run[*v1alpha1.SmileUser]) error {
		r.Object.Status.UserID = "made"
		return errors.Join(errors.New("reading on"), context.Canceled)
	}).Reconcile(t.Context(), requestFor(user))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := statusOf(t, c, user).UserID; got != "made" {
		t.Errorf("the status says %q", got)
	}
}

// A process may end because another one has taken over. What the other one stored meanwhile stays.
func TestAProcessThatEndsOverwritesNothing(t *testing.T) {
	t.Parallel()
	c, user := stored(t)
	_, err := reconciled(c, func(ctx context.Context, r *Run[*v1alpha1.SmileUser]) error {
		other := statusOf(t, c, user)
		other.UserID = "of the new leader"
		if err := c.Status().Update(ctx, &v1alpha1.SmileUser{ObjectMeta: r.stored.ObjectMeta, Spec: r.stored.Spec, Status: other}); err != nil {
			t.Fatal(err)
		}
		r.Object.Status.UserID = "of the old leader"
		return context.Canceled
	}).Reconcile(t.Context(), requestFor(user))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := statusOf(t, c, user).UserID; got != "of the new leader" {
		t.Errorf("the status says %q", got)
	}
}

func stored(t *testing.T) (client.Client, *v1alpha1.SmileUser) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	user := &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "george", UID: "uid"}}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(user).WithStatusSubresource(user).Build()
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(user), user); err != nil {
		t.Fatal(err)
	}
	return c, user
}

func reconciled(c client.Client, phase func(context.Context, *Run[*v1alpha1.SmileUser]) error) *Reconciler[*v1alpha1.SmileUser] {
	return &Reconciler[*v1alpha1.SmileUser]{
		Client: c, Events: events.NewFakeRecorder(16), Clock: clock.RealClock{},
		Kind: Kind[*v1alpha1.SmileUser]{
			Name: "SmileUser",
			New:  func() *v1alpha1.SmileUser { return &v1alpha1.SmileUser{} },
			Phases: func() ([]Phase[*v1alpha1.SmileUser], Conclude[*v1alpha1.SmileUser]) {
				return []Phase[*v1alpha1.SmileUser]{{Condition: v1alpha1.ConditionProvisioned, Run: Step(phase)}}, nil
			},
		},
	}
}

func requestFor(user *v1alpha1.SmileUser) ctrl.Request {
	return ctrl.Request{NamespacedName: client.ObjectKeyFromObject(user)}
}

func statusOf(t *testing.T, c client.Client, user *v1alpha1.SmileUser) v1alpha1.SmileUserStatus {
	t.Helper()
	var now v1alpha1.SmileUser
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(user), &now); err != nil {
		t.Fatal(err)
	}
	return now.Status
}
