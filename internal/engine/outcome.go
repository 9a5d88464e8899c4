package engine

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// Outcome is the value that a phase gives its condition. The zero value makes the condition true, with the phase's message.
type Outcome struct {
	effect          effect
	status          metav1.ConditionStatus
	reason, message string
	// warning is the action of a Warning event; "" for an outcome without one.
	warning string
}

type effect int

const (
	succeeds effect = iota
	keeps
	removes
	sets
)

var (
	// Succeeded makes the condition true, with the phase's message.
	Succeeded = Outcome{}
	// Unchanged keeps the condition as it is.
	Unchanged = Outcome{effect: keeps}
	// Absent removes the condition: it is about something that the spec does not ask for.
	Absent = Outcome{effect: removes}
)

// True makes the condition true, with a reason other than Succeeded or a message of its own.
func True(reason, message string) Outcome {
	return Outcome{effect: sets, status: metav1.ConditionTrue, reason: reason, message: message}
}

// False makes the condition false, and leaves Ready as it is. A problem that makes the object not ready is an error.
func False(reason, message string) Outcome {
	return Outcome{effect: sets, status: metav1.ConditionFalse, reason: reason, message: message}
}

// Warning makes the condition false, and leaves Ready as it is. If that is new, it also records a Warning event with this
// action.
func Warning(reason, action, message string) Outcome {
	return Outcome{effect: sets, status: metav1.ConditionFalse, reason: reason, message: message, warning: action}
}

// Step makes a Phase.Run of a function that has no other outcome than success or an error.
func Step[T Object](run func(context.Context, *Run[T]) error) func(context.Context, *Run[T]) (Outcome, error) {
	return func(ctx context.Context, r *Run[T]) (Outcome, error) { return Succeeded, run(ctx, r) }
}

// Gather makes a Phase.Run of a function that keeps the condition as it is unless it fails: Kind.Conclude writes the
// condition from what several phases have found.
func Gather[T Object](run func(context.Context, *Run[T]) error) func(context.Context, *Run[T]) (Outcome, error) {
	return func(ctx context.Context, r *Run[T]) (Outcome, error) { return Unchanged, run(ctx, r) }
}

// Set gives a condition the value of an outcome. Phases return their outcomes; only Kind.Conclude needs Set.
func (r *Run[T]) Set(condition string, outcome Outcome) {
	switch outcome.effect {
	case keeps:
	case removes:
		r.clear(condition)
	case succeeds:
		r.condition(condition, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "")
	case sets:
		if outcome.warning != "" && !r.shows(condition, outcome) {
			r.Event(corev1.EventTypeWarning, outcome.reason, outcome.warning, outcome.message)
		}
		r.condition(condition, outcome.status, outcome.reason, outcome.message)
	}
}

// shows reports whether the condition already has the value of an outcome.
func (r *Run[T]) shows(condition string, outcome Outcome) bool {
	shown := meta.FindStatusCondition(r.Object.CommonStatus().Conditions, condition)
	return shown != nil && shown.Status == outcome.status && shown.Reason == outcome.reason && shown.Message == outcome.message
}
