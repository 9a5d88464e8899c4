package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func named(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
}

func (s *shop) expectOverdue(t *testing.T, when string, want time.Duration) {
	t.Helper()
	synctest.Wait()
	if got, ok := s.due.overdue(); !ok || got != want {
		t.Errorf("%s: overdue by %s (%v), want %s", when, got, ok, want)
	}
}

// A worker hangs in the reconcile of one object.
func TestAStalledWorkerIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShop(t, 2, func(name string) time.Duration {
			if name == "a-hangs" {
				return 24 * time.Hour
			}
			return time.Second
		})
		s.Add(named("a-hangs"))
		s.Add(named("b"))
		time.Sleep(time.Hour)
		s.expectOverdue(t, "one of two workers hangs", time.Hour)
		time.Sleep(24 * time.Hour)
		s.expectOverdue(t, "it has ended", 0)
	})
}

// All workers hang, so an object that is due gets none.
func TestAnObjectWithoutWorkerIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShop(t, 1, func(string) time.Duration { return 2 * time.Hour })
		s.AddAfter(named("b"), 30*time.Minute)
		time.Sleep(20 * time.Minute)
		s.expectOverdue(t, "nothing is due yet", 0)
		s.Add(named("a"))
		time.Sleep(2 * time.Hour) // a has had the worker; b had to wait for 1 h 50 min
		s.expectOverdue(t, "b got the worker", 110*time.Minute)
		time.Sleep(2 * time.Hour)
		s.expectOverdue(t, "all is done", 0)
	})
}

func TestDelaysAreNotOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShop(t, 1, func(string) time.Duration { return 0 })
		s.AddWithOpts(priorityqueue.AddOpts{After: time.Hour}, named("later"))
		s.AddRateLimited(named("failed"))
		s.expectOverdue(t, "at once", 0)
		time.Sleep(shortestBackoff / 2)
		s.expectOverdue(t, "during the backoff", 0)
		time.Sleep(3 * time.Hour)
		s.expectOverdue(t, "after both", 0)
		if s.first("failed") != shortestBackoff || s.first("later") != time.Hour {
			t.Errorf("failed ran after %s, later after %s", s.first("failed"), s.first("later"))
		}
	})
}

// An object that is queued again while it is reconciled is due from then on.
func TestAnObjectThatIsDueAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShop(t, 1, func(string) time.Duration { return time.Hour })
		s.Add(named("a"))
		time.Sleep(30 * time.Minute)
		s.Add(named("a"))
		time.Sleep(40 * time.Minute)
		s.expectOverdue(t, "in the second reconcile", 40*time.Minute)
		time.Sleep(time.Hour)
		s.expectOverdue(t, "after it", 0)
	})
}

// A process that does not lead has queues, but no workers: nothing is overdue there, nor in the first moment after it leads.
func TestAStandbyIsNotOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t.Name(), "Standby", Backoff(time.Minute), 1, func(context.Context, types.NamespacedName) Tenant { return Tenant{} })
		defer q.ShutDown()
		q.Add(named("a"))
		time.Sleep(time.Hour)
		if got, ok := q.due.overdue(); ok {
			t.Errorf("overdue by %s", got)
		}
		object, _ := q.Get()
		if got, ok := q.due.overdue(); !ok || got != 0 {
			t.Errorf("overdue by %s (%v)", got, ok)
		}
		q.Done(object)
	})
}
