// Package engine is the life of a reconciled object, written once: fetch, delete, suspend, run the phases of the
// kind in order, classify what went wrong, write the status once if its meaning changed, tell the transition as
// an event.
package engine

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// Object is an object of one of this operator's kinds.
type Object interface {
	client.Object
	CommonStatus() *v1alpha1.CommonStatus
	Suspended() bool
}

// Phase is one step of a kind. It does nothing when there is nothing to do.
type Phase[T Object] struct {
	// Condition that the phase writes, and no other phase; "" when it writes none. A failure of the phase shows on it, unless
	// the problem names another condition.
	Condition string
	// Done is the condition's message while it is true.
	Done string
	// Run does the step, and returns the value of the condition. An error ends the reconcile.
	Run func(context.Context, *Run[T]) (Outcome, error)
}

// Conclude runs when the phases have ended, however they ended, and gives those conditions their values that depend on what
// several phases found. It returns the error with which the reconcile ends, in place of the one with which the phases ended.
type Conclude[T Object] func(run *Run[T], err error) error

// Kind is what differs between the kinds.
type Kind[T Object] struct {
	// Name of the kind, as in SmileUser.
	Name string
	// New makes an empty object.
	New func() T
	// Phases makes the phases of one reconcile, in the order in which they run, and what concludes them, which may be nil. They
	// may share what they find.
	Phases func() ([]Phase[T], Conclude[T])
	// Guard does what must be done even for an object that is suspended; nil when nothing must.
	Guard func(context.Context, *Run[T]) error
	// Undo says what a deletion must undo at Smile; nil when nothing ever.
	Undo *Undo[T]
	// Gone is told that an object no longer exists, to forget what is remembered of it. May be nil.
	Gone func(types.NamespacedName)
}

// Undo is what a deletion must undo at Smile before the object may go.
type Undo[T Object] struct {
	// Finalizer that holds the object.
	Finalizer string
	// Needed tells whether this object's deletion has something to undo.
	Needed func(T) bool
	// Live reads past the cache whether the kind itself is being deleted.
	Live client.Reader
	// Run undoes it; nil means that nothing is left.
	Run func(context.Context, *Run[T]) error
	// GiveUp is how long after its deletion an object is let go although not all is undone; 0 is never.
	GiveUp time.Duration
}
