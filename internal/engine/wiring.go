package engine

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// LongestBackoff is how long an object that keeps failing waits at most before it is tried again.
const LongestBackoff = 5 * time.Minute

// Relevant selects the changes that require a reconcile: those of the spec and of the annotations, and the deletion. Users
// request a reconcile by an annotation. A change of the status requires none, because the operator writes it, unless it is
// Altered.
func Relevant() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
}

// Hinted selects users for which a webhook event has hinted that something changed at Smile.
func Hinted() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, after := e.ObjectOld.(*v1alpha1.SmileUser), e.ObjectNew.(*v1alpha1.SmileUser)
			return !after.Status.HintedAt.Equal(before.Status.HintedAt)
		},
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
}

// Wakes are the names of objects that must be reconciled.
type Wakes = <-chan event.TypedGenericEvent[types.NamespacedName]

// Woken enqueues these objects at low priority: new and changed objects go first.
func Woken(wakes Wakes) source.Source {
	return source.TypedChannel(wakes, handler.TypedFuncs[types.NamespacedName, reconcile.Request]{
		GenericFunc: func(
			_ context.Context, e event.TypedGenericEvent[types.NamespacedName],
			queue workqueue.TypedRateLimitingInterface[reconcile.Request],
		) {
			request := reconcile.Request{NamespacedName: e.Object}
			if queue, ok := queue.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
				queue.AddWithOpts(priorityqueue.AddOpts{Priority: new(handler.LowPriority)}, request)
				return
			}
			queue.Add(request)
		},
	})
}

// BecameUsable selects connections that became usable, that show for the first time whether they are usable, whose revokes are
// permitted again, or that no longer only observe Smile.
func BecameUsable() predicate.Predicate {
	usable := func(obj client.Object) bool {
		conn := obj.(*v1alpha1.SmileConnection)
		return !conn.Spec.Suspend && meta.IsStatusConditionTrue(conn.Status.Conditions, v1alpha1.ConditionReady)
	}
	checked := func(obj client.Object) bool {
		return meta.FindStatusCondition(obj.(*v1alpha1.SmileConnection).Status.Conditions, v1alpha1.ConditionReady) != nil
	}
	paused := func(obj client.Object) bool {
		return meta.IsStatusConditionFalse(obj.(*v1alpha1.SmileConnection).Status.Conditions, v1alpha1.ConditionRevokesAllowed)
	}
	observes := func(obj client.Object) bool {
		return obj.(*v1alpha1.SmileConnection).Spec.ManagementPolicy == v1alpha1.PolicyObserve
	}
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return usable(e.ObjectNew) && !usable(e.ObjectOld) || checked(e.ObjectNew) && !checked(e.ObjectOld) ||
				paused(e.ObjectOld) && !paused(e.ObjectNew) || observes(e.ObjectOld) && !observes(e.ObjectNew)
		},
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
}

// RequestsFor returns a request for each object of a list.
func RequestsFor(
	ctx context.Context,
	reader client.Reader,
	list client.ObjectList,
	options ...client.ListOption,
) []reconcile.Request {
	if err := reader.List(ctx, list, options...); err != nil {
		return nil // a synced cache does not fail
	}
	var requests []reconcile.Request
	_ = meta.EachListItem(list, func(item runtime.Object) error {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(item.(client.Object))})
		return nil
	})
	return requests
}
