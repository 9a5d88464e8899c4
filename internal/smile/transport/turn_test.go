package transport

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// object is reconciled whenever it is woken, one reconcile at a time, as the queue of a controller does.
type object struct {
	budget *Budget
	flow   string
	caller *smile.Caller
	woken  chan struct{}
	// takes is how long a reconcile takes before its call.
	takes time.Duration

	passes int
	// waited is the longest wait on the spot.
	waited   time.Duration
	departed time.Time
}

func newObject(b *Budget, flow string) *object {
	o := &object{budget: b, flow: flow, woken: make(chan struct{}, 1)}
	o.caller = smile.NewCaller(o.wake)
	o.wake()
	return o
}

func (o *object) wake() {
	select {
	case o.woken <- struct{}{}:
	default:
	}
}

// live reconciles until the call was sent, or ctx ends.
func (o *object) live(ctx context.Context, share *Share, lane smile.Lane) {
	ctx = smile.WithCaller(shareIn(ctx, lane, o.flow, share), o.caller)
	for o.departed.IsZero() {
		select {
		case <-o.woken:
		case <-ctx.Done():
			return
		}
		o.passes++
		time.Sleep(o.takes)
		began := time.Now()
		o.caller.Begin()
		err := o.budget.Wait(ctx)
		o.waited = max(o.waited, time.Since(began))
		o.caller.End(err == nil)
		switch {
		case err == nil:
			o.departed = time.Now()
		case !smile.KeepsPlace(err):
			time.AfterFunc(time.Second, o.wake)
		}
	}
}

// crowd starts a number of objects of a flow, one after the other.
func crowd(ctx context.Context, group *sync.WaitGroup, b *Budget, flow string, share *Share, size int) []*object {
	var all []*object
	for range size {
		o := newObject(b, flow)
		all = append(all, o)
		group.Go(func() { o.live(ctx, share, smile.LaneCreate) })
		synctest.Wait()
	}
	return all
}

func slow(rate int64) *Share {
	share := new(Share)
	share.Limit(rate)
	return share
}

// TestCallersGoAwayAndKeepTheirOrder makes 200 objects of one connection wait for a pace of one call a second.
func TestCallersGoAwayAndKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var group sync.WaitGroup
		start := time.Now()
		all := crowd(t.Context(), &group, NewBudget(20), "crowd", slow(1), 200)
		group.Wait()
		if !slices.IsSortedFunc(all, func(a, b *object) int { return a.departed.Compare(b.departed) }) {
			t.Error("the objects were not served in the order of their arrival")
		}
		for i, o := range all {
			if o.passes > 2 || o.waited > lead {
				t.Errorf("object %d was reconciled %d times, and waited %v on the spot", i, o.passes, o.waited)
			}
		}
		if took := time.Since(start); took > 206*time.Second {
			t.Errorf("200 calls at one a second took %v", took)
		}
	})
}

// TestSlowReconcilesLoseNoSlot makes each reconcile take some time before its call.
func TestSlowReconcilesLoseNoSlot(t *testing.T) {
	for _, takes := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			var group sync.WaitGroup
			b, start := NewBudget(20), time.Now()
			for range 400 {
				o := newObject(b, "crowd")
				o.takes = takes
				group.Go(func() { o.live(t.Context(), nil, smile.LaneCreate) })
			}
			group.Wait()
			if took := time.Since(start).Seconds(); took > 1.05*400/20 {
				t.Errorf("400 calls at 20 a second took %.1f s when a reconcile takes %v", took, takes)
			}
		})
	}
}

// TestANewcomerDoesNotWaitForACrowd adds one object of another connection while a crowd waits.
func TestANewcomerDoesNotWaitForACrowd(t *testing.T) {
	crowds := map[string]struct {
		size int
		rate int64
	}{"at its own 1 a second": {200, 1}, "at the budget's pace": {450, 0}}
	for name, c := range crowds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var group sync.WaitGroup
				ctx, cancel := context.WithCancel(t.Context())
				b := NewBudget(15)
				crowd(ctx, &group, b, "crowd", slow(c.rate), c.size)
				time.Sleep(5 * time.Second)
				came, o := time.Now(), newObject(b, "other")
				o.live(ctx, nil, smile.LaneCreate)
				if waited := o.departed.Sub(came); waited > time.Second {
					t.Errorf("it waited %v", waited)
				}
				cancel()
				group.Wait()
			})
		})
	}
}

// TestALowLaneIsCalled makes refreshes wait behind many creates.
func TestALowLaneIsCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var group sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		b := NewBudget(15)
		crowd(ctx, &group, b, "crowd", nil, 450)
		came, o := time.Now(), newObject(b, "crowd")
		o.live(ctx, nil, smile.LaneRefresh)
		if waited := o.departed.Sub(came); waited > 3*time.Second {
			t.Errorf("a refresh waited %v", waited)
		}
		urgent := newObject(b, "crowd")
		came = time.Now()
		urgent.live(ctx, nil, smile.LaneRevoke)
		if waited := urgent.departed.Sub(came); waited > 200*time.Millisecond {
			t.Errorf("a revoke waited %v", waited)
		}
		cancel()
		group.Wait()
	})
}

// TestLowLanesTakeTurns makes a call of each low lane wait behind many creates.
func TestLowLanesTakeTurns(t *testing.T) {
	for lane, other := range map[smile.Lane]smile.Lane{smile.LaneHint: smile.LaneRefresh, smile.LaneRefresh: smile.LaneHint} {
		synctest.Test(t, func(t *testing.T) {
			var group sync.WaitGroup
			ctx, cancel := context.WithCancel(t.Context())
			b := NewBudget(15)
			crowd(ctx, &group, b, "crowd", nil, 450)
			for range 50 {
				o := newObject(b, "crowd")
				group.Go(func() { o.live(ctx, nil, other) })
				synctest.Wait()
			}
			time.Sleep(5 * time.Second)
			came, o := time.Now(), newObject(b, "crowd")
			o.live(ctx, nil, lane)
			if waited := o.departed.Sub(came); waited > 3*time.Second {
				t.Errorf("a call of lane %d waited %v", lane, waited)
			}
			cancel()
			group.Wait()
		})
	}
}

// TestNoCallerReturnsForAPlace wakes callers that do not return.
func TestNoCallerReturnsForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var group sync.WaitGroup
		b, share, start := NewBudget(20), slow(1), time.Now()
		_ = b.Wait(shareIn(t.Context(), smile.LaneCreate, "crowd", share))
		lost := newObject(b, "crowd")
		ctx := smile.WithCaller(shareIn(t.Context(), smile.LaneCreate, "crowd", share), lost.caller)
		if err := b.Wait(ctx); !smile.KeepsPlace(err) {
			t.Fatalf("it was not sent away: %v", err)
		}
		rest := crowd(t.Context(), &group, b, "crowd", share, 5)
		group.Wait()
		if took := time.Since(start); took > calledFor+7*time.Second {
			t.Errorf("the other calls took %v", took)
		}
		if rest[0].departed.Sub(start) > calledFor+2*time.Second {
			t.Errorf("the next one left after %v", rest[0].departed.Sub(start))
		}
		more := crowd(t.Context(), &group, b, "crowd", share, 5)
		lost.caller.Begin()
		if err := b.Wait(ctx); err != nil {
			t.Errorf("the one that came late: %v", err)
		}
		late := time.Now()
		group.Wait()
		if more[4].departed.Before(late) {
			t.Error("the one that came late did not go before those that came after it")
		}
	})
}

// TestARemovedObjectLosesItsPlace forgets callers before and after they are woken.
func TestARemovedObjectLosesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, share := NewBudget(20), slow(1)
		wait := func(o *object) error {
			o.caller.Begin()
			return b.Wait(smile.WithCaller(shareIn(t.Context(), smile.LaneCreate, "crowd", share), o.caller))
		}
		gone, parked := newObject(b, "crowd"), newObject(b, "crowd")
		_ = wait(newObject(b, "crowd"))
		for _, o := range []*object{gone, parked} {
			if err := wait(o); !smile.KeepsPlace(err) {
				t.Fatalf("it was not sent away: %v", err)
			}
		}
		time.Sleep(time.Second) // the first of them is woken
		gone.caller.Forget()
		parked.caller.Forget()
		if calls, away := waiting(b); calls+away != 0 {
			t.Errorf("%d calls are waiting, %d were sent away", calls, away)
		}
		if err := wait(newObject(b, "crowd")); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}

// TestASecondCallWaitsOnTheSpot makes two calls in one reconcile while a crowd waits.
func TestASecondCallWaitsOnTheSpot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var group sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		b, share := NewBudget(20), slow(2)
		first := newObject(b, "crowd")
		calling := smile.WithCaller(shareIn(ctx, smile.LaneCreate, "crowd", share), first.caller)
		first.caller.Begin()
		_ = b.Wait(calling)
		crowd(ctx, &group, b, "crowd", share, 50)
		began := time.Now()
		if err := b.Wait(calling); err != nil {
			t.Errorf("the second call: %v", err)
		}
		if waited := time.Since(began); waited > 1100*time.Millisecond {
			t.Errorf("the second call waited %v", waited)
		}
		cancel()
		group.Wait()
	})
}

// droppedPlace parks a refresh of an object, whose next reconcile then makes a hint call that leaves at once.
func droppedPlace(t *testing.T) (o *object, refresh func() error) {
	t.Helper()
	b, share := NewBudget(20), slow(1)
	wait := func(lane smile.Lane) error {
		return b.Wait(smile.WithCaller(shareIn(t.Context(), lane, "a", share), o.caller))
	}
	o = newObject(b, "a")
	<-o.woken // by newObject
	first := smile.WithCaller(shareIn(t.Context(), smile.LaneRefresh, "a", share), newObject(b, "a").caller)
	if err := b.Turn(first); err != nil {
		t.Fatal(err)
	}
	o.caller.Begin()
	if err := wait(smile.LaneRefresh); !smile.KeepsPlace(err) {
		t.Fatalf("the refresh was not sent away: %v", err)
	}
	o.caller.End(false)
	o.caller.Begin()
	if err := wait(smile.LaneHint); err != nil {
		t.Fatalf("the hint: %v", err)
	}
	return o, func() error { return wait(smile.LaneRefresh) }
}

// TestACallAfterADroppedPlace makes a less urgent call in the reconcile whose first call has dropped a place.
func TestACallAfterADroppedPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, refresh := droppedPlace(t)
		began := time.Now()
		if err := refresh(); err != nil || time.Since(began) > 1100*time.Millisecond {
			t.Errorf("the second call: %v after %v", err, time.Since(began))
		}
	})
}

// TestADroppedPlaceIsNotKept ends the reconcile that has dropped a place before it is done.
func TestADroppedPlaceIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, refresh := droppedPlace(t)
		if keeps := o.caller.End(false); keeps {
			t.Error("a place that was dropped is kept")
		}
		o.caller.Begin()
		if err := refresh(); !smile.KeepsPlace(err) {
			t.Fatalf("the next reconcile was not sent away: %v", err)
		}
		select {
		case <-o.woken:
		case <-time.After(2 * calledFor):
			t.Fatal("it was not woken")
		}
		o.caller.Begin()
		if err := refresh(); err != nil {
			t.Errorf("when it was woken: %v", err)
		}
	})
}

// TestADisplacedCallerGoesWhenItComes displaces the place of a woken caller by an urgent call.
func TestADisplacedCallerGoesWhenItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(0)
		b.Refused(time.Now(), patience)
		var displaced *object
		refresh := func() error {
			displaced.caller.Begin()
			return b.Wait(smile.WithCaller(shareIn(t.Context(), smile.LaneRefresh, "crowd", nil), displaced.caller))
		}
		for range maxQueue {
			displaced = newObject(b, "crowd")
			if err := refresh(); !smile.KeepsPlace(err) {
				t.Fatalf("it was not sent away: %v", err)
			}
		}
		time.Sleep(patience - lead) // all of them are woken
		synctest.Wait()
		if err := b.Wait(shareIn(t.Context(), smile.LaneRevoke, "other", nil)); err != nil {
			t.Fatalf("the urgent call: %v", err)
		}
		if calls, away := waiting(b); calls != 0 || away != maxQueue-1 {
			t.Errorf("%d calls are waiting, %d were sent away", calls, away)
		}
		began := time.Now()
		if err := refresh(); err != nil || time.Since(began) > 0 {
			t.Errorf("the displaced one: %v after %v", err, time.Since(began))
		}
	})
}

// TestTurn requests the turn before a step that a call must follow.
func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, share := NewBudget(20), slow(1)
		turn := func(o *object) (ctx context.Context, err error) {
			o.caller.Begin()
			ctx = smile.WithCaller(shareIn(t.Context(), smile.LaneCreate, "a", share), o.caller)
			return ctx, b.Turn(ctx)
		}
		first, second := newObject(b, "a"), newObject(b, "a")
		ctx, err := turn(first)
		if err != nil {
			t.Fatalf("the first: %v", err)
		}
		if _, err := turn(second); !smile.KeepsPlace(err) {
			t.Errorf("the second, while the first has its turn: %v", err)
		}
		began := time.Now()
		if err := b.Wait(ctx); err != nil || time.Since(began) > 0 {
			t.Errorf("the call after the turn: %v after %v", err, time.Since(began))
		}
		<-second.woken // by newObject
		<-second.woken
		if ctx, err = turn(second); err != nil {
			t.Errorf("the second, after it was woken: %v", err)
		}
		if !b.TurnIsNear(ctx) {
			t.Error("its turn is not near")
		}
		if err := b.Wait(ctx); err != nil || time.Since(began) > 1100*time.Millisecond {
			t.Errorf("its call: %v after %v", err, time.Since(began))
		}
		if err := b.Turn(t.Context()); err != nil {
			t.Errorf("if the caller cannot be woken: %v", err)
		}
	})
}

// TestTurnNotTaken ends a reconcile without the call for which it had its turn.
func TestTurnNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, share := NewBudget(20), slow(1)
		o := newObject(b, "a")
		ctx := smile.WithCaller(shareIn(t.Context(), smile.LaneCreate, "a", share), o.caller)
		if err := b.Turn(ctx); err != nil {
			t.Fatal(err)
		}
		if b.TurnIsNear(shareIn(t.Context(), smile.LaneCreate, "a", share)) {
			t.Error("another caller's turn is near while this one holds its place")
		}
		if keeps := o.caller.End(false); !keeps {
			t.Error("a reconcile that has failed lost its place")
		}
		o.caller.Begin()
		if keeps := o.caller.End(true); keeps {
			t.Error("a reconcile with nothing to call keeps a place")
		}
		if !b.TurnIsNear(shareIn(t.Context(), smile.LaneCreate, "a", share)) {
			t.Error("the released place is still held")
		}
	})
}

// TestALongPauseKeepsPlaces makes the host require a long pause while callers are away.
func TestALongPauseKeepsPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var group sync.WaitGroup
		b := NewBudget(10)
		all := crowd(t.Context(), &group, b, "crowd", nil, 40)
		time.Sleep(time.Second)
		b.Refused(time.Now(), time.Minute)
		group.Wait()
		parked := all[20:]
		if !slices.IsSortedFunc(parked, func(a, b *object) int { return a.departed.Compare(b.departed) }) {
			t.Error("the objects that were sent away were not served in the order of their arrival")
		}
	})
}

// drawnObject is an object of a property test.
type drawnObject struct {
	at, takes time.Duration
	flow      int
	lane      smile.Lane
	// deserts is true for an object that does not return when it is woken.
	deserts bool
}

// TestEveryCallerGetsItsTurn draws objects of several connections, slow reconciles, and objects that never return: the limits
// hold, and all other calls are sent in time.
func TestEveryCallerGetsItsTurn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := float64(rapid.IntRange(2, 40).Draw(rt, "limit"))
		rates := rapid.SliceOfN(rapid.Int64Range(0, 10), 3, 3).Draw(rt, "rates")
		objects := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) drawnObject {
			return drawnObject{
				at:      time.Duration(rapid.IntRange(0, 5000).Draw(t, "at")) * time.Millisecond,
				takes:   time.Duration(rapid.IntRange(0, 400).Draw(t, "takes")) * time.Millisecond,
				flow:    rapid.IntRange(0, 2).Draw(t, "flow"),
				lane:    smile.Lane(rapid.IntRange(0, int(laneCount)-1).Draw(t, "lane")),
				deserts: rapid.IntRange(0, 9).Draw(t, "deserts") == 0,
			}
		}), 1, 100).Draw(rt, "objects")
		all := liveAll(t, limit, rates, objects)
		moments := make([][]time.Time, 4)
		for i, o := range all {
			switch {
			case o.departed.IsZero() && !objects[i].deserts:
				rt.Fatalf("object %d never left: %+v", i, objects[i])
			case !o.departed.IsZero():
				moments[3] = append(moments[3], o.departed)
				moments[objects[i].flow] = append(moments[objects[i].flow], o.departed)
			}
		}
		for flow, rate := range append(slices.Clone(rates), int64(limit)) {
			if got := largestWindow(moments[flow]); rate > 0 && got > int(rate) {
				rt.Fatalf("%d calls of flow %d in one second, its limit is %d", got, flow, rate)
			}
		}
	})
}

func liveAll(t *testing.T, limit float64, rates []int64, drawn []drawnObject) (all []*object) {
	synctest.Test(t, func(t *testing.T) {
		// Each object that deserts delays its flow by calledFor, and no longer.
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		b, shares := NewBudget(limit), []*Share{slow(rates[0]), slow(rates[1]), slow(rates[2])}
		var group sync.WaitGroup
		for _, d := range drawn {
			o := newObject(b, fmt.Sprint(d.flow))
			o.takes = d.takes
			all = append(all, o)
			group.Go(func() {
				time.Sleep(d.at)
				own := ctx
				if d.deserts {
					var leave context.CancelFunc
					own, leave = context.WithTimeout(ctx, 100*time.Millisecond)
					defer leave()
				}
				o.live(own, shares[d.flow], d.lane)
			})
		}
		group.Wait()
	})
	return all
}

// waiting returns how many calls wait, and how many callers are away, in all lanes.
func waiting(b *Budget) (calls, away int) {
	for _, use := range b.Use() {
		calls, away = calls+use.Waiting, away+use.Away
	}
	return calls, away
}
