package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// shop is a queue with workers, in a synctest bubble.
type shop struct {
	*queue
	group sync.WaitGroup
	mu    sync.Mutex
	began map[string][]time.Duration
	start time.Time
}

// openShop starts a number of workers. Each object takes some time. The connection of an object is in its name, before the first
// dash, and so is its host.
func openShop(t *testing.T, workers int, takes func(name string) time.Duration) *shop {
	t.Helper()
	s := &shop{began: map[string][]time.Duration{}, start: time.Now()}
	s.queue = newQueue(t.Name(), "Test", Backoff(time.Minute), workers, func(_ context.Context, object types.NamespacedName) Tenant {
		connection, _, _ := strings.Cut(object.Name, "-")
		return Tenant{Connection: connection, Host: connection}
	})
	for range workers {
		s.group.Go(func() {
			for {
				object, _, shutdown := s.GetWithPriority()
				if shutdown {
					return
				}
				s.mu.Lock()
				s.began[object.Name] = append(s.began[object.Name], time.Since(s.start))
				s.mu.Unlock()
				time.Sleep(takes(object.Name))
				s.Done(object)
			}
		})
	}
	t.Cleanup(func() { s.ShutDown(); s.group.Wait() })
	return s
}

func (s *shop) first(name string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.began[name]) == 0 {
		return -1
	}
	return s.began[name][0]
}

func (s *shop) times(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.began[name])
}

// TestAHangingTenantDelaysNoOther makes 60 objects of one tenant hang for 30 s each.
func TestAHangingTenantDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShop(t, 16, func(name string) time.Duration {
			if strings.HasPrefix(name, "hanging") {
				return 30 * time.Second
			}
			return 10 * time.Millisecond
		})
		for i := range 60 {
			s.Add(objectNamed(fmt.Sprintf("hanging-%d", i)))
		}
		time.Sleep(time.Second)
		for i := range 20 {
			s.Add(objectNamed(fmt.Sprintf("healthy-%d", i)))
		}
		time.Sleep(time.Second)
		for i := range 20 {
			if began := s.first(fmt.Sprintf("healthy-%d", i)); began < 0 {
				t.Errorf("object %d of the healthy tenant still waits", i)
			}
		}
		time.Sleep(10 * time.Minute)
		for i := range 60 {
			if s.times(fmt.Sprintf("hanging-%d", i)) != 1 {
				t.Errorf("object %d of the hanging tenant ran %d times", i, s.times(fmt.Sprintf("hanging-%d", i)))
			}
		}
	})
}

// TestTheQueueJoinsEqualRequests adds an object again while it waits, and while it runs.
func TestTheQueueJoinsEqualRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShop(t, 4, func(string) time.Duration { return time.Second })
		for range 3 {
			for i := range 6 {
				s.Add(objectNamed(fmt.Sprintf("a-%d", i))) // three run, three wait
			}
			time.Sleep(time.Millisecond)
		}
		s.AddWithOpts(priorityqueue.AddOpts{After: time.Minute}, objectNamed("a-0"))
		time.Sleep(30 * time.Second)
		for i := range 6 {
			want := 1
			if i < 3 { // they were added again while they ran
				want = 2
			}
			if got := s.times(fmt.Sprintf("a-%d", i)); got != want {
				t.Errorf("object %d ran %d times, want %d", i, got, want)
			}
		}
		if got := s.Len(); got != 0 {
			t.Errorf("%d wait", got)
		}
		time.Sleep(time.Minute)
		if got := s.times("a-0"); got != 3 {
			t.Errorf("the delayed object ran %d times", got)
		}
	})
}

// TestTheQueueShutsDown ends while all workers wait.
func TestTheQueueShutsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShop(t, 4, func(string) time.Duration { return 0 })
		synctest.Wait()
		s.ShutDown()
		s.group.Wait()
		if _, shutdown := s.Get(); !shutdown {
			t.Error("it still hands out objects")
		}
		s.AddRateLimited(reconcile.Request{})
	})
}
