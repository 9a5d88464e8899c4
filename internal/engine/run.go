package engine

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const writeTimeout = 10 * time.Second

// Run is one reconcile of one object. The phases read Object, change its status in place, and say when the object is due
// again. Nothing is written until the phases have ended, except what WriteIntent writes.
type Run[T Object] struct {
	// Object that is reconciled: a copy, which the phases may change.
	Object T
	// Now is when the reconcile began.
	Now time.Time
	// Resumed is true when the object was suspended until now.
	Resumed bool
	// First is true when this process has not reconciled the object before, as after a start.
	First bool

	stored T
	client client.Client
	memory *memory
	next   time.Time
	ready  metav1.Condition
	// done is true when the reconcile has no call left to make.
	done bool
	// ordinary is true when the reconcile ended with an ordinary problem (problem.Problem).
	ordinary bool
	events   []happening
}

type happening struct{ kind, reason, action, message string }

func newRun[T Object](obj T, now time.Time, c client.Client, m *memory) *Run[T] {
	return &Run[T]{
		Object: obj, stored: obj.DeepCopyObject().(T), Now: now, client: c, memory: m,
		ready: metav1.Condition{
			Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded, Message: "everything declared is in place",
		},
	}
}

// WakeAt requests another reconcile at a time or earlier. The zero time requests none.
func (r *Run[T]) WakeAt(at time.Time) {
	if !at.IsZero() && (r.next.IsZero() || at.Before(r.next)) {
		r.next = at
	}
}

// WakeAfter requests another reconcile after a duration or earlier.
func (r *Run[T]) WakeAfter(d time.Duration) { r.WakeAt(r.Now.Add(d)) }

// SetReady gives Ready=True another reason than success, such as that the end user has not linked an account yet.
func (r *Run[T]) SetReady(reason, message string) {
	r.ready.Reason, r.ready.Message = reason, message
}

// Event records an event once the status is written.
func (r *Run[T]) Event(kind, reason, action, message string) {
	r.events = append(r.events, happening{kind, reason, action, message})
}

// WriteIntent stores the status as it is now. It fails with a conflict unless the stored object is exactly the one that was
// read: same UID, same resourceVersion. So an intent is stored before a call that cannot be undone. Writing the same intent
// again changes nothing, but still checks.
func (r *Run[T]) WriteIntent(ctx context.Context) error {
	return r.patchStatus(ctx, true)
}

func (r *Run[T]) patchStatus(ctx context.Context, exact bool) error {
	patch, err := statusPatch(r.stored, r.Object, exact)
	if err != nil {
		return err
	}
	// The end of the process does not cut short a write that records what was done at Smile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	hash := r.memory.writing(r.Object)
	if err := r.client.Status().Patch(ctx, r.Object, patch); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	r.Object.SetManagedFields(nil) // nothing reads them, and the next patch is computed faster without
	r.stored = r.Object.DeepCopyObject().(T)
	r.memory.wrote(r.Object, r.Now, hash)
	return nil
}

// withhold removes the conditions of a new object if they say only what has succeeded so far. A reconcile that will be repeated
// soon is not worth a write of its own.
func (r *Run[T]) withhold() {
	status := r.Object.CommonStatus()
	if len(r.stored.CommonStatus().Conditions) == 0 && !slices.ContainsFunc(status.Conditions, func(c metav1.Condition) bool {
		return c.Status != metav1.ConditionTrue
	}) {
		status.Conditions = nil
	}
}

func (r *Run[T]) condition(kind string, status metav1.ConditionStatus, reason, message string) {
	changed := metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: r.Object.GetGeneration(), LastTransitionTime: metav1.NewTime(r.Now),
	}
	// A value that a later phase of the same reconcile reverts is no transition.
	if before := meta.FindStatusCondition(r.stored.CommonStatus().Conditions, kind); before != nil && before.Status == status {
		changed.LastTransitionTime = before.LastTransitionTime
	}
	meta.SetStatusCondition(&r.Object.CommonStatus().Conditions, changed)
}

// summaries are listed before the conditions of the phases, where a reader of the status sees them first.
var summaries = []string{
	v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionSuspended,
}

func (r *Run[T]) sortConditions() {
	rank := func(c metav1.Condition) int {
		if i := slices.Index(summaries, c.Type); i >= 0 {
			return i
		}
		return len(summaries)
	}
	slices.SortStableFunc(r.Object.CommonStatus().Conditions, func(a, b metav1.Condition) int {
		return cmp.Compare(rank(a), rank(b))
	})
}

func (r *Run[T]) clear(kinds ...string) {
	for _, kind := range kinds {
		meta.RemoveStatusCondition(&r.Object.CommonStatus().Conditions, kind)
	}
}

// Jitter returns a duration that is longer by up to a tenth, so that objects that were created together are not due together.
func Jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)/10+1))
}
