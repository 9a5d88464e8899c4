package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const writeTimeout = 10 * time.Second

// Pass is one run of the phases over one object. The phases read Object, change its status in place and say when
// they want to run again; nothing is written until the pass ends, intents aside.
type Pass[T Object] struct {
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
	phase  string
	set    bool
	next   time.Time
	ready  metav1.Condition
	// done is true when the reconcile has nothing left to call.
	done bool
	// ordinary is true when the pass ended as the passes of a start do.
	ordinary bool
	events   []happening
}

type happening struct{ kind, reason, action, message string }

func newPass[T Object](obj T, now time.Time, c client.Client, m *memory) *Pass[T] {
	return &Pass[T]{
		Object: obj, stored: obj.DeepCopyObject().(T), Now: now, client: c, memory: m,
		ready: metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded, Message: "everything declared is in place"},
	}
}

// WakeAt asks for another pass at a time, or earlier; the zero time asks for none.
func (p *Pass[T]) WakeAt(at time.Time) {
	if !at.IsZero() && (p.next.IsZero() || at.Before(p.next)) {
		p.next = at
	}
}

// WakeAfter asks for another pass after a duration, or earlier.
func (p *Pass[T]) WakeAfter(d time.Duration) { p.WakeAt(p.Now.Add(d)) }

// Set gives the running phase's condition a value, instead of the True of a phase that returns nil.
func (p *Pass[T]) Set(status metav1.ConditionStatus, reason, message string) {
	p.set = true
	p.condition(p.phase, status, reason, message)
}

// Keep leaves the running phase's condition as it is.
func (p *Pass[T]) Keep() { p.set = true }

// Drop removes the running phase's condition, of something that is not asked for.
func (p *Pass[T]) Drop() {
	p.set = true
	p.clear(p.phase)
}

// Ready gives Ready=True another reason than success, as in waiting for a person, which is nothing wrong.
func (p *Pass[T]) Ready(reason, message string) {
	p.ready.Reason, p.ready.Message = reason, message
}

// Warn sets the running phase's condition to false and leaves Ready as it is. If that is new, it also records a Warning event.
func (p *Pass[T]) Warn(reason, action, message string) {
	shown := meta.FindStatusCondition(p.Object.CommonStatus().Conditions, p.phase)
	if shown == nil || shown.Status != metav1.ConditionFalse || shown.Reason != reason || shown.Message != message {
		p.Event(corev1.EventTypeWarning, reason, action, message)
	}
	p.Set(metav1.ConditionFalse, reason, message)
}

// Event tells something that happened, once the status that goes with it is written.
func (p *Pass[T]) Event(kind, reason, action, message string) {
	p.events = append(p.events, happening{kind, reason, action, message})
}

// WriteIntent stores the status as it is now, and fails with a conflict unless the stored object is the very one
// that this pass has read: same UID, same resourceVersion. It is how an intent precedes a call that cannot be
// undone. Writing the same intent again changes nothing but still checks.
func (p *Pass[T]) WriteIntent(ctx context.Context) error {
	return p.patchStatus(ctx, true)
}

func (p *Pass[T]) patchStatus(ctx context.Context, exact bool) error {
	data, err := client.MergeFrom(p.stored).Data(p.Object)
	if err != nil {
		return fmt.Errorf("computing the status patch: %w", err)
	}
	identity := map[string]any{"uid": p.Object.GetUID()}
	if exact {
		identity["resourceVersion"] = p.stored.GetResourceVersion()
	}
	data, err = withIdentity(data, identity)
	if err != nil {
		return err
	}
	// A shutdown does not cut a write that tells what was done at Smile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	hash := p.memory.writing(p.Object)
	if err := p.client.Status().Patch(ctx, p.Object, client.RawPatch(types.MergePatchType, data)); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	p.Object.SetManagedFields(nil) // nothing reads them, and the next patch is computed faster without
	p.stored = p.Object.DeepCopyObject().(T)
	p.memory.wrote(p.Object, p.Now, hash)
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

func (p *Pass[T]) condition(kind string, status metav1.ConditionStatus, reason, message string) {
	changed := metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: p.Object.GetGeneration(), LastTransitionTime: metav1.NewTime(p.Now),
	}
	// A value that a later phase of the same pass takes back was no transition.
	if before := meta.FindStatusCondition(p.stored.CommonStatus().Conditions, kind); before != nil && before.Status == status {
		changed.LastTransitionTime = before.LastTransitionTime
	}
	meta.SetStatusCondition(&p.Object.CommonStatus().Conditions, changed)
}

// summaries come before the conditions of the phases, so that who reads a status finds them at once.
var summaries = []string{
	v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionSuspended,
}

func (p *Pass[T]) sortConditions() {
	rank := func(c metav1.Condition) int {
		if i := slices.Index(summaries, c.Type); i >= 0 {
			return i
		}
		return len(summaries)
	}
	slices.SortStableFunc(p.Object.CommonStatus().Conditions, func(a, b metav1.Condition) int {
		return cmp.Compare(rank(a), rank(b))
	})
}

func (p *Pass[T]) clear(kinds ...string) {
	for _, kind := range kinds {
		meta.RemoveStatusCondition(&p.Object.CommonStatus().Conditions, kind)
	}
}

// Jitter lengthens a duration by up to a tenth, so that what was made together is not due together.
func Jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)/10+1))
}
