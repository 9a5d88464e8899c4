package engine

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// LongestBackoff is how long an object that keeps failing waits at most.
const LongestBackoff = 5 * time.Minute

// Backoff is how long an object that failed waits: 1 s, doubled each time up to the longest.
func Backoff(longest time.Duration) workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, longest)
}

// Relevant passes the changes of an object that call for a pass: of its spec, its deletion and its annotations, by
// which people ask for one. The status is the operator's own writing and calls for none.
func Relevant() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
}
