package transport

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// shareIn is a context of calls that keep to a share.
func shareIn(ctx context.Context, lane smile.Lane, flow string, share *Share) context.Context {
	return WithShare(WithFlow(smile.WithLane(ctx, lane), flow), share)
}

// sharedGrants is grants with all calls in one share, until a time at which the waiting calls give up.
func sharedGrants(t *testing.T, limit float64, own int64, arrivals []arrival) (moments []time.Time) {
	synctest.Test(t, func(t *testing.T) {
		b, share := NewBudget(limit), new(Share)
		share.Limit(own)
		var group sync.WaitGroup
		var mu sync.Mutex
		for i, a := range arrivals {
			group.Go(func() {
				time.Sleep(a.at)
				ctx, cancel := context.WithTimeout(t.Context(), a.patience)
				defer cancel()
				if b.Wait(shareIn(ctx, smile.Lane(i%4), "slow", share)) != nil {
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

// TestAShareNeverExceedsItsLimit pauses the calls of one share, and makes some give up: the calls that were queued meanwhile are
// not sent in a burst.
func TestAShareNeverExceedsItsLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.Float64Range(5, 40).Draw(rt, "limit")
		own := int64(rapid.IntRange(1, 10).Draw(rt, "own"))
		moments := sharedGrants(t, limit, own, drawArrivals(rt))
		if got := largestWindow(moments); got > int(own) {
			rt.Fatalf("%d calls in one second, the share's limit is %v", got, own)
		}
	})
}

// TestASlowShareDelaysNoOther queues many calls of a slow connection before one of another.
func TestASlowShareDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, slow, start := NewBudget(20), new(Share), time.Now()
		slow.Limit(1)
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() { _ = b.Wait(shareIn(t.Context(), smile.LaneCreate, "slow", slow)) })
		}
		synctest.Wait()
		for range 10 {
			if err := b.Wait(shareIn(t.Context(), smile.LaneRefresh, "other", nil)); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took > 700*time.Millisecond {
			t.Errorf("ten calls of another connection took %v", took)
		}
		group.Wait()
		if took := time.Since(start); took < 19*time.Second || took > 20*time.Second {
			t.Errorf("twenty calls of the slow one took %v", took)
		}
	})
}

// TestUrgentCallsOfASlowShareGoFirst queues as many refreshes of a connection as may wait, and then a revoke.
func TestUrgentCallsOfASlowShareGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, slow, start := NewBudget(20), new(Share), time.Now()
		slow.Limit(1)
		_ = b.Wait(shareIn(t.Context(), smile.LaneRefresh, "slow", slow))
		var group sync.WaitGroup
		for range maxQueue {
			group.Go(func() {
				if err := b.Wait(shareIn(t.Context(), smile.LaneRefresh, "slow", slow)); err != nil && !paused(err) {
					t.Error(err)
				}
				if waited := time.Since(start); waited > longestWait {
					t.Errorf("a call waited %v", waited)
				}
			})
		}
		synctest.Wait()
		if err := b.Wait(shareIn(t.Context(), smile.LaneRefresh, "slow", slow)); !paused(err) {
			t.Errorf("one more refresh: %v", err)
		}
		if err := b.Wait(shareIn(t.Context(), smile.LaneRevoke, "slow", slow)); err != nil {
			t.Error(err)
		}
		if waited := time.Since(start); waited > 1100*time.Millisecond {
			t.Errorf("the revoke waited %v for refreshes", waited)
		}
		group.Wait()
	})
}

// TestAShareChangesAtOnce changes a limit while calls wait.
func TestAShareChangesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, share, start := NewBudget(20), new(Share), time.Now()
		wait := func(calls int) time.Duration {
			before := time.Now()
			for range calls {
				_ = b.Wait(shareIn(t.Context(), smile.LaneCreate, "a", share))
			}
			return time.Since(before)
		}
		share.Limit(1)
		if took := wait(3); took < 2*time.Second {
			t.Errorf("three calls at 1 a second took %v", took)
		}
		share.Limit(10)
		if took := wait(10); took > 2100*time.Millisecond {
			t.Errorf("ten calls at 10 a second took %v", took)
		}
		share.Limit(0)
		if took := wait(20); took > 1100*time.Millisecond {
			t.Errorf("twenty calls at the budget's pace took %v", took)
		}
		share.Limit(100)
		if took := wait(20); took < time.Second {
			t.Errorf("with a share above the budget, twenty calls took %v", took)
		}
		if time.Since(start) < 4*time.Second {
			t.Error("faster than all limits")
		}
	})
}
