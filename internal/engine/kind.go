// Package engine is the life of a reconciled object, written once: it fetches the object, handles deletion and suspension, runs
// the phases of the kind in order, classifies a failure, writes the status once if its meaning changed, and records events.
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
	// Condition that shows the outcome of the phase, and its failure unless the problem names another condition; "" for none. A
	// condition has one writer: this phase, or Kind.Conclude if it depends on what several phases find.
	Condition string
	// Done is the condition's message while it is true.
	Done string
	// Run does the step, and returns the value of the condition. An error ends the reconcile.
	Run func(context.Context, *Run[T]) (Outcome, error)
}

// Conclude runs when the phases have ended, however they ended, and sets the conditions that depend on what several phases found.
// It returns the error with which the reconcile ends, in place of the one with which the phases ended.
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
	// Guard does what must be done even while the object is suspended. May be nil.
	Guard func(context.Context, *Run[T]) error
	// Undo is what a deletion must undo at Smile; nil if a deletion of this kind never undoes anything.
	Undo *Undo[T]
	// Gone is called when an object no longer exists, and forgets what is remembered about it. May be nil.
	Gone func(types.NamespacedName)
}

// Undo is what a deletion must undo at Smile before the object may go.
type Undo[T Object] struct {
	// Finalizer that holds the object.
	Finalizer string
	// Needed reports whether the deletion of an object has something to undo.
	Needed func(T) bool
	// Live reads past the cache. It shows whether the CustomResourceDefinition of the kind is being deleted.
	Live client.Reader
	// Run undoes it; nil means that nothing is left.
	Run func(context.Context, *Run[T]) error
	// GiveUp is how long after its deletion an object is released although not everything is undone; 0 means never.
	GiveUp time.Duration
}
