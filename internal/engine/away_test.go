package engine

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// kept is a place in line that knows whether it was given up.
type kept struct{ givenUp bool }

func (k *kept) GiveUp() { k.givenUp = true }

var errTurn = &smile.UnsentError{Cause: &smile.PausedError{RetryAfter: time.Minute, Kept: true}}

// newQueuedLife is a life whose reconciler has a queue without workers.
func newQueuedLife(t *testing.T) *life {
	t.Helper()
	l := newLife(t)
	q := newQueue(t.Name(), "Test", Backoff(time.Minute), 1, func(context.Context, types.NamespacedName) Tenant { return Tenant{} })
	t.Cleanup(q.ShutDown)
	l.queue.Store(q)
	return l
}

// TestAnObjectWaitsForItsTurn ends a reconcile because its turn is far away: nothing is shown or written, the next reconcile
// is what this one was and has the same place, and what was planned before that stays planned.
func TestAnObjectWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	l, place := newQueuedLife(t), new(kept)
	version := l.version()
	l.phase = func(ctx context.Context, p *Run[*v1alpha1.SmileUser]) error {
		p.WakeAfter(time.Second)
		if !p.First {
			t.Error("the first reconcile does not have Run.First")
		}
		caller := smile.CallerFrom(ctx)
		caller.Hold(place)
		caller.SendAway()
		return errTurn
	}
	result, err := l.Reconcile(t.Context(), requestFor(l.user))
	if err != nil || result.RequeueAfter != time.Second {
		t.Errorf("it is reconciled again after %v: %v", result.RequeueAfter, err)
	}
	l.expect()
	if l.version() != version {
		t.Error("something was written")
	}
	l.phase = func(ctx context.Context, p *Run[*v1alpha1.SmileUser]) error {
		if !p.First {
			t.Error("the continued reconcile differs from the one before")
		}
		if smile.CallerFrom(ctx).Place() != smile.Place(place) {
			t.Error("the reconcile has lost its place")
		}
		return problem.NewTransient(v1alpha1.ReasonSmileUnavailable, "m")
	}
	_, _ = l.Reconcile(t.Context(), requestFor(l.user))
	if place.givenUp {
		t.Error("a reconcile that failed has lost its place")
	}
	_, _ = l.ends(nil)
	if !place.givenUp {
		t.Error("a reconcile with nothing to call keeps its place")
	}
	if len(l.memory.away) != 0 {
		t.Error("it still counts as sent away")
	}
}

// TestAnObjectThatIsAwayIsNotReconciledForWhatIsDue ends a reconcile because its turn is far away, although its call was
// due.
func TestAnObjectThatIsAwayIsNotReconciledForWhatIsDue(t *testing.T) {
	t.Parallel()
	l := newQueuedLife(t)
	l.phase = func(ctx context.Context, p *Run[*v1alpha1.SmileUser]) error {
		p.WakeAt(p.Now.Add(-time.Second))
		smile.CallerFrom(ctx).Hold(new(kept))
		smile.CallerFrom(ctx).SendAway()
		return errTurn
	}
	result, err := l.Reconcile(t.Context(), requestFor(l.user))
	if err != nil || result.RequeueAfter != time.Minute {
		t.Errorf("it is reconciled again after %v: %v", result.RequeueAfter, err)
	}
}

// TestADeletedObjectHasNoPlace deletes an object while it is away.
func TestADeletedObjectHasNoPlace(t *testing.T) {
	t.Parallel()
	l, place := newQueuedLife(t), new(kept)
	l.phase = func(ctx context.Context, _ *Run[*v1alpha1.SmileUser]) error {
		smile.CallerFrom(ctx).Hold(place)
		smile.CallerFrom(ctx).SendAway()
		return errTurn
	}
	if _, err := l.Reconcile(t.Context(), requestFor(l.user)); err != nil {
		t.Fatal(err)
	}
	if err := l.c.Delete(t.Context(), l.user); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	if _, err := l.Reconcile(t.Context(), requestFor(l.user)); err != nil {
		t.Fatal(err)
	}
	if !place.givenUp {
		t.Error("its place is kept")
	}
}

// TestWithoutAQueueCallsWaitOnTheSpot reconciles without a queue that could wake the object.
func TestWithoutAQueueCallsWaitOnTheSpot(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.phase = func(ctx context.Context, _ *Run[*v1alpha1.SmileUser]) error {
		if !smile.CallerFrom(ctx).Stays() {
			t.Error("it is to be sent away")
		}
		return nil
	}
	if _, err := l.Reconcile(t.Context(), requestFor(l.user)); err != nil {
		t.Fatal(err)
	}
}
