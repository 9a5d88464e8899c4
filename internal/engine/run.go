package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const writeTimeout = 10 * time.Second

// Run is one reconcile of one object. The phases read Object, change its status in place, and say when the object is due
// again. Nothing is written until the phases have ended, except what WriteIntent writes.
type Run[T Object] struct {
	// Object under reconciliation, a copy that the pass may change.
	Object T
	// Now is the time of this pass.
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
	// done is true when the reconcile has nothing left to call.
	done bool
	// ordinary is true when the pass ended as the passes of a start do.
	ordinary bool
	events   []happening
}

type happening struct{ kind, reason, action, message string }

func newRun[T Object](obj T, now time.Time, c client.Client, m *memory) *Run[T] {
	return &Run[T]{
		Object: obj, stored: obj.DeepCopyObject().(T), Now: now, client: c, memory: m,
		ready: metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded, Message: "everything declared is in place"},
	}
}

// WakeAt asks for another pass at a time, or earlier; the zero time asks for none.
func (r *Run[T]) WakeAt(at time.Time) {
	if !at.IsZero() && (r.next.IsZero() || at.Before(r.next)) {
		r.next = at
	}
}

// WakeAfter asks for another pass after a duration, or earlier.
func (r *Run[T]) WakeAfter(d time.Duration) { r.WakeAt(r.Now.Add(d)) }

// SetReady gives Ready=True another reason than success, such as that the end user has not linked an account yet.
func (r *Run[T]) SetReady(reason, message string) {
	r.ready.Reason, r.ready.Message = reason, message
}

// Event tells something that happened, once the status that goes with it is written.
func (r *Run[T]) Event(kind, reason, action, message string) {
	r.events = append(r.events, happening{kind, reason, action, message})
}

// WriteIntent stores the status as it is now, and fails with a conflict unless the stored object is the very one
// that this pass has read: same UID, same resourceVersion. It is how an intent precedes a call that cannot be
// undone. Writing the same intent again changes nothing but still checks.
func (r *Run[T]) WriteIntent(ctx context.Context) error {
	return r.patchStatus(ctx, true)
}

func (r *Run[T]) patchStatus(ctx context.Context, exact bool) error {
	data, err := client.MergeFrom(r.stored).Data(r.Object)
	if err != nil {
		return fmt.Errorf("computing the status patch: %w", err)
	}
	identity := map[string]any{"uid": r.Object.GetUID()}
	if exact {
		identity["resourceVersion"] = r.stored.GetResourceVersion()
	}
	data, err = withIdentity(data, identity)
	if err != nil {
		return err
	}
	// A shutdown does not cut a write that tells what was done at Smile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	hash := r.memory.writing(r.Object)
	if err := r.client.Status().Patch(ctx, r.Object, client.RawPatch(types.MergePatchType, data)); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	r.Object.SetManagedFields(nil) // nothing reads them, and the next patch is computed faster without
	r.stored = r.Object.DeepCopyObject().(T)
	r.memory.wrote(r.Object, r.Now, hash)
	return nil
}

// withIdentity makes a status patch fail unless it meets the object that it was made for.
func withIdentity(patch []byte, identity map[string]any) ([]byte, error) {
	var doc map[string]any
	if err := json.Unmarshal(patch, &doc); err != nil {
		return nil, fmt.Errorf("reading the status patch: %w", err)
	}
	only := map[string]any{"metadata": identity}
	if status, ok := doc["status"]; ok {
		only["status"] = status
	}
	return json.Marshal(only)
}

func (r *Run[T]) condition(kind string, status metav1.ConditionStatus, reason, message string) {
	changed := metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: r.Object.GetGeneration(), LastTransitionTime: metav1.NewTime(r.Now),
	}
	// A value that a later phase of the same pass takes back was no transition.
	if before := meta.FindStatusCondition(r.stored.CommonStatus().Conditions, kind); before != nil && before.Status == status {
		changed.LastTransitionTime = before.LastTransitionTime
	}
	meta.SetStatusCondition(&r.Object.CommonStatus().Conditions, changed)
}

// summaries come before the conditions of the phases, so that who reads a status finds them at once.
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

// Jitter lengthens a duration by up to a tenth, so that what was made together is not due together.
func Jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)/10+1))
}
