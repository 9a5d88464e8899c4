package transport

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// largestWindow is the largest number of moments in any second.
func largestWindow(moments []time.Time) int {
	slices.SortFunc(moments, time.Time.Compare)
	largest, first := 0, 0
	for i, moment := range moments {
		for moment.Sub(moments[first]) >= time.Second {
			first++
		}
		largest = max(largest, i-first+1)
	}
	return largest
}

// arrival is a caller of a budget in a property test.
type arrival struct {
	at, patience, pause time.Duration
}

func drawArrivals(t *rapid.T) []arrival {
	millis := func(limit int, label string) time.Duration {
		return time.Duration(rapid.IntRange(0, limit).Draw(t, label)) * time.Millisecond
	}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) arrival {
		a := arrival{at: millis(5000, "at"), patience: time.Hour}
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0, 1:
			a.patience = millis(800, "patience")
		case 2:
			a.pause = millis(3000, "pause")
		}
		return a
	}), 1, 150).Draw(t, "arrivals")
}

// grants makes the arrivals compete in a synctest bubble.
func grants(t *testing.T, budget func() *Budget, arrivals []arrival) (moments []time.Time) {
	synctest.Test(t, func(t *testing.T) {
		b := budget()
		var group sync.WaitGroup
		var mu sync.Mutex
		for _, a := range arrivals {
			group.Go(func() {
				time.Sleep(a.at)
				ctx, cancel := context.WithTimeout(t.Context(), a.patience)
				defer cancel()
				if b.Wait(ctx) != nil {
					return
				}
				mu.Lock()
				moments = append(moments, time.Now())
				mu.Unlock()
				if a.pause > 0 {
					b.Refused(time.Now(), a.pause)
				}
			})
		}
		group.Wait()
	})
	return moments
}

func TestBudgetNeverExceedsItsLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.Float64Range(0.5, 40).Draw(rt, "limit")
		moments := grants(t, func() *Budget { return NewBudget(limit) }, drawArrivals(rt))
		if got := largestWindow(moments); got > int(math.Ceil(limit)) {
			rt.Fatalf("%d calls in one second, the limit is %v", got, limit)
		}
	})
}

// takeDue takes the slot that is due, or returns the time until the next one.
func takeDue(b *Budget) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	wait := b.due().Sub(now)
	if wait <= 0 {
		b.take(new(waiter), now)
	}
	return wait
}

// TestBudgetHoldsThroughStalls takes slots late, as a busy machine does.
func TestBudgetHoldsThroughStalls(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.Float64Range(0.5, 40).Draw(rt, "limit")
		stalls := rapid.SliceOfN(rapid.IntRange(0, 200), 1, 120).Draw(rt, "stalls")
		var moments []time.Time
		synctest.Test(t, func(*testing.T) {
			b := NewBudget(limit)
			for _, stall := range stalls {
				for wait := takeDue(b); wait > 0; wait = takeDue(b) {
					time.Sleep(wait + time.Duration(stall)*time.Millisecond)
				}
				moments = append(moments, time.Now())
			}
		})
		if got := largestWindow(moments); got > int(math.Ceil(limit)) {
			rt.Fatalf("%d calls in one second, the limit is %v", got, limit)
		}
	})
}

func TestBudgetUsesItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(20), time.Now()
		for range 1001 {
			if err := b.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := time.Since(start), 51500*time.Millisecond; got < want-time.Millisecond || got > want+time.Millisecond {
			t.Errorf("1001 calls took %v, want %v", got, want)
		}
	})
}

// TestBudgetAbsorbsSmallDelays proves that timers that fire half a millisecond
// late cost that much once a second, not once a call.
func TestBudgetAbsorbsSmallDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(20), time.Now()
		for range 1001 {
			for wait := takeDue(b); wait > 0; wait = takeDue(b) {
				time.Sleep(wait + 500*time.Microsecond)
			}
		}
		if got, want := time.Since(start), 51500*time.Millisecond+26*time.Millisecond; got > want {
			t.Errorf("1001 calls took %v, want at most %v", got, want)
		}
	})
}

func TestBudgetDoesNotCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		_ = b.Wait(t.Context())
		time.Sleep(time.Hour)
		start := time.Now()
		for range 3 {
			_ = b.Wait(t.Context())
		}
		if got := time.Since(start); got < 206*time.Millisecond {
			t.Errorf("three calls after a stall took %v", got)
		}
	})
}

func TestUnlimitedBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(0), time.Now()
		for range 1000 {
			_ = b.Wait(t.Context())
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("1000 calls took %v", got)
		}
		b.Refused(time.Now(), 2*time.Second)
		_ = b.Wait(t.Context())
		if got := time.Since(start); got != 2*time.Second {
			t.Errorf("the call after a pause of 2 s came after %v", got)
		}
	})
}

func TestBudgetServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		served := make(chan int)
		for i := range 20 {
			go func() {
				_ = b.Wait(t.Context())
				served <- i
			}()
			synctest.Wait()
		}
		for want := range 20 {
			if got := <-served; got != want {
				t.Errorf("served call %d before call %d", got, want)
			}
		}
	})
}

func TestBudgetPauses(t *testing.T) {
	tests := []struct {
		name   string
		pause  time.Duration
		wait   time.Duration
		paused bool
	}{
		{"short", 3 * time.Second, 3 * time.Second, false},
		{"unspecified", 0, 51500 * time.Microsecond, false},
		{"negative", -time.Second, 51500 * time.Microsecond, false},
		{"as long as patience", 5 * time.Second, 5 * time.Second, false},
		{"long", 5*time.Second + 1, 0, true},
		{"very long", 10 * time.Minute, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := NewBudget(20)
				_ = b.Wait(t.Context())
				b.Refused(time.Now(), test.pause)
				start := time.Now()
				err := b.Wait(t.Context())
				if got := time.Since(start); got != test.wait {
					t.Errorf("waited %v, want %v", got, test.wait)
				}
				var paused *smile.PausedError
				if errors.As(err, &paused) != test.paused {
					t.Fatalf("error %v", err)
				}
				if !test.paused {
					return
				}
				if paused.RetryAfter != test.pause {
					t.Errorf("retried after %v, want %v", paused.RetryAfter, test.pause)
				}
				time.Sleep(paused.RetryAfter)
				if err := b.Wait(t.Context()); err != nil {
					t.Errorf("after the pause: %v", err)
				}
			})
		})
	}
}

// TestBudgetPauseReachesWaiters pauses while calls are queued already.
func TestBudgetPauseReachesWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudget(10), time.Now()
		_ = b.Wait(t.Context())
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if err := b.Wait(t.Context()); err != nil || time.Since(start) < 4*time.Second {
					t.Errorf("sent after %v, %v", time.Since(start), err)
				}
			})
		}
		synctest.Wait()
		b.Refused(time.Now(), 4*time.Second)
		b.Refused(time.Now(), time.Second)
		group.Wait()
	})
}

func TestBudgetHeedsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(0.1)
		_ = b.Wait(t.Context())
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Wait(canceled); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled before: %v", err)
		}
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := b.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a caller whose context ends: %v", err)
				}
			})
		}
		group.Wait()
	})
}

func TestBudgetSet(t *testing.T) {
	set := NewBudgetSet(7)
	a, b := set.For("a.test:443"), set.For("b.test:443")
	if a == b || a != set.For("a.test:443") {
		t.Error("a host does not have exactly one budget")
	}
	if got := a.RequestsPerSecond(); got != 7 {
		t.Errorf("limit %v", got)
	}
	budgets := make(chan *Budget)
	for range 100 {
		go func() { budgets <- set.For("c.test:443") }()
	}
	first := <-budgets
	for range 99 {
		if another := <-budgets; another != first {
			t.Error("a host has two budgets")
		}
	}
}

// TestOneBudgetHoweverAHostIsSpelled uses every spelling of the same host.
func TestOneBudgetHoweverAHostIsSpelled(t *testing.T) {
	set := NewBudgetSet(7)
	budgetOf := func(text string) *Budget {
		endpoint, reason := parseEndpoint(text)
		if reason != "" {
			t.Fatal(reason)
		}
		return set.For(BudgetHost(endpoint))
	}
	first := budgetOf("https://api.test/v1")
	for _, spelling := range []string{"https://API.Test/v1", "https://api.test:443/v1", "HTTPS://api.test/v1/", "https://api.test"} {
		if budgetOf(spelling) != first {
			t.Errorf("%s has a budget of its own", spelling)
		}
	}
	for _, another := range []string{"https://api.test:8443/v1", "https://www.api.test/v1", "http://api.test/v1"} {
		if budgetOf(another) == first {
			t.Errorf("%s shares the budget", another)
		}
	}
}
