package transport

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// serveInTurn queues calls behind one that has just been served, and returns the order in which they get their slots.
func serveInTurn(t *testing.T, b *Budget, calls []waiter) (order []string) {
	t.Helper()
	_ = b.Wait(t.Context())
	var group sync.WaitGroup
	var mu sync.Mutex
	for _, call := range calls {
		group.Go(func() {
			ctx := WithFlow(smile.WithLane(t.Context(), call.lane), call.flow)
			if err := b.Wait(ctx); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			order = append(order, call.flow)
		})
		synctest.Wait()
	}
	group.Wait()
	return order
}

func TestUrgentLanesGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := serveInTurn(t, NewBudget(10), []waiter{
			{lane: smile.LaneRefresh, flow: "refresh"}, {lane: smile.LaneHint, flow: "hint"}, {lane: smile.LaneCreate, flow: "create"}, {lane: smile.LaneRevoke, flow: "revoke"},
		})
		if got := strings.Join(order, " "); got != "revoke create hint refresh" {
			t.Errorf("served %s", got)
		}
	})
}

func TestFlowsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := slices.Repeat([]waiter{{lane: smile.LaneCreate, flow: "big"}}, 5)
		calls = append(calls, waiter{lane: smile.LaneCreate, flow: "small"}, waiter{lane: smile.LaneCreate, flow: "small"})
		order := serveInTurn(t, NewBudget(10), calls)
		if got := strings.Join(order, " "); got != "big small big small big big big" {
			t.Errorf("served %s", got)
		}
	})
}

// TestNoLaneStarves keeps an urgent lane full: the least urgent still gets a slot now and then.
func TestNoLaneStarves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := append([]waiter{{lane: smile.LaneRefresh, flow: "patient"}}, slices.Repeat([]waiter{{lane: smile.LaneCreate, flow: "busy"}}, 3*relief)...)
		order := serveInTurn(t, NewBudget(10), calls)
		if at := slices.Index(order, "patient"); at < 0 || at >= relief {
			t.Errorf("the refresh was served at place %d", at)
		}
	})
}

// TestEveryLaneIsServed adds and serves calls at random: no lane waits for more than one relief slot of each lane.
func TestEveryLaneIsServed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var passedOver [laneCount]int
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				lane := smile.Lane(rapid.IntRange(0, int(laneCount)-1).Draw(t, "lane"))
				for range rapid.IntRange(1, 50).Draw(t, "calls") {
					q.add(&waiter{lane: lane})
				}
			},
			"serve": func(t *rapid.T) {
				for range min(q.size, rapid.IntRange(1, 50).Draw(t, "slots")) {
					served := q.next(time.Now(), present).lane
					for lane := range q.lanes {
						if passedOver[lane]++; smile.Lane(lane) == served || q.lanes[lane].size == 0 {
							passedOver[lane] = 0
						}
						if passedOver[lane] > relief*int(laneCount) {
							t.Fatalf("lane %d was passed over %d times", lane, passedOver[lane])
						}
					}
				}
			},
		})
	})
}

// TestQueueLosesNoCall adds, serves and removes calls at random.
func TestQueueLosesNoCall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		inside := map[*waiter]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				w := &waiter{
					lane: smile.Lane(rapid.IntRange(0, int(laneCount)-1).Draw(t, "lane")),
					flow: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "flow"),
				}
				q.add(w)
				inside[w] = true
			},
			"next": func(t *rapid.T) {
				if q.size == 0 {
					t.Skip("empty")
				}
				w := q.next(time.Now(), present)
				if !inside[w] {
					t.Fatal("served a call that was not waiting")
				}
				delete(inside, w)
			},
			"remove": func(*rapid.T) {
				for w := range inside {
					q.remove(w)
					q.remove(w)
					delete(inside, w)
					break
				}
			},
			"": func(t *rapid.T) {
				if q.size != len(inside) {
					t.Fatalf("the queue counts %d waiting objects, but there are %d", q.size, len(inside))
				}
			},
		})
		if got := len(q.drain()); got != len(inside) {
			t.Fatalf("drained %d of %d", got, len(inside))
		}
	})
}

// TestBudgetSlowsDownAndRecovers counts the calls that fit into seconds after a refusal.
func TestBudgetSlowsDownAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(20)
		inOneSecond := func() (calls int) {
			for end := time.Now().Add(time.Second); time.Now().Before(end); calls++ {
				_ = b.Wait(t.Context())
			}
			return calls
		}
		full := inOneSecond()
		sent := time.Now()
		b.Refused(sent, 0)
		if lone := inOneSecond(); lone < full-1 {
			t.Errorf("%d calls in the second after a lone refusal, %d before it", lone, full)
		}
		b.Refused(sent.Add(-time.Millisecond), 0) // under way together with the first: counts as one
		if lone := inOneSecond(); lone < full-1 {
			t.Errorf("%d calls in the second after two refusals that count as one, %d before", lone, full)
		}
		b.Refused(time.Now(), 0)
		_ = b.Wait(t.Context())
		if half := inOneSecond(); half < full*2/5 || half > full*3/5 {
			t.Errorf("%d calls in the second after a refusal, %d before it", half, full)
		}
		time.Sleep(10 * time.Second)
		if again := inOneSecond(); again < full-1 {
			t.Errorf("%d calls a second after it has recovered, %d before", again, full)
		}
	})
}

func TestBudgetNeverStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(16)
		for range 20 {
			b.Refused(time.Now(), time.Second)
			time.Sleep(time.Second + 1)
		}
		start := time.Now()
		_, _ = b.Wait(t.Context()), b.Wait(t.Context())
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("two calls took %v after many refusals", took)
		}
	})
}

// TestBudgetWaitIsBounded queues more calls than can be served soon, and more than may wait.
func TestBudgetWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(0.01)
		_ = b.Wait(t.Context())
		start := time.Now()
		var group sync.WaitGroup
		for range maxQueue {
			group.Go(func() {
				if err := b.Wait(t.Context()); !paused(err) || time.Since(start) != longestWait {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
			})
		}
		synctest.Wait()
		if err := b.Wait(t.Context()); !paused(err) || time.Since(start) != 0 {
			t.Errorf("one call above the limit after %v: %v", time.Since(start), err)
		}
		group.Wait()
		if b.waiting.size != 0 {
			t.Errorf("%d are still waiting", b.waiting.size)
		}
	})
}

// TestLongPauseSendsWaitersAway pauses for longer than a call may occupy a worker.
func TestLongPauseSendsWaitersAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(1)
		_ = b.Wait(t.Context())
		failed := make(chan error)
		go func() { failed <- b.Wait(t.Context()) }()
		synctest.Wait()
		b.Refused(time.Now(), time.Minute)
		if err := <-failed; !paused(err) {
			t.Errorf("a waiter got %v", err)
		}
	})
}

func paused(err error) bool {
	var p *smile.PausedError
	return errors.As(err, &p) && p.RetryAfter > 0
}
