package transport

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// laneCount is the number of lanes.
const laneCount = smile.LaneRefresh + 1

type (
	flowKey  struct{}
	shareKey struct{}
)

// WithFlow assigns the calls of a context to a flow. Within a lane, flows take turns,
// so that the calls of a small flow do not wait behind those of a large one.
func WithFlow(ctx context.Context, flow string) context.Context {
	return context.WithValue(ctx, flowKey{}, flow)
}

// Share limits the calls of one flow to a pace of their own. The budget limits them all the same. A Share belongs to one Budget.
type Share struct {
	limit atomic.Int64
	// pace is guarded by the budget.
	pace pacer
}

// Limit sets how many calls a second may be sent, from the next call on; 0 is as many as the budget permits.
func (s *Share) Limit(requestsPerSecond int64) { s.limit.Store(requestsPerSecond) }

// RequestsPerSecond returns how many calls a second may be sent; 0 is as many as the budget permits.
func (s *Share) RequestsPerSecond() int64 { return s.limit.Load() }

// WithShare limits the calls of a context to the pace of a share.
func WithShare(ctx context.Context, share *Share) context.Context {
	return context.WithValue(ctx, shareKey{}, share)
}

// rate is how many calls a second may be sent; 0 is as many as the budget permits.
func (s *Share) rate() float64 {
	if s == nil {
		return 0
	}
	return max(0, float64(s.limit.Load()))
}

// ready is when the next call may be sent.
func (s *Share) ready() time.Time {
	if s.rate() == 0 {
		return time.Time{}
	}
	return s.pace.due()
}

func (s *Share) take(w *waiter, now time.Time) {
	if rate := s.rate(); rate > 0 {
		s.pace.take(&w.going, s.pace.due(), now, rate, rate)
	}
}

func shareOf(ctx context.Context) *Share {
	share, _ := ctx.Value(shareKey{}).(*Share)
	return share
}

func flowOf(ctx context.Context) string {
	flow, _ := ctx.Value(flowKey{}).(string)
	return flow
}

// waiter is a call that waits for its slot, or the place that is kept for one.
type waiter struct {
	lane  smile.Lane
	flow  string
	share *Share
	// again is set for a call that was sent before and refused: it goes first.
	again bool
	// continues is set for a call of a reconcile that has had its turn: it goes first in its flow.
	continues bool
	// caller that makes the call; nil if none is named.
	caller *smile.Caller
	budget *Budget
	// away is true for a place whose caller has not come yet. It gets no slot.
	away bool
	// calledAt is when the caller was woken; zero before.
	calledAt time.Time
	// going is guarded by the budget.
	going   departure
	granted chan error
}

// relief: one in so many slots goes to the waiting lane that was served longest ago, so that
// a busy lane does not starve the later ones.
const relief = 8

// queue holds the waiting calls, and decides whose turn it is. The zero queue is empty.
type queue struct {
	lanes  [laneCount]turns
	size   int
	served int
	// last is the value of served when each lane was last served.
	last [laneCount]int
}

// candidate returns, for the calls of one flow in a lane, oldest first, the index of the one that may go first, and when; -1 if
// none may.
type candidate func(waiting []*waiter) (index int, due time.Time)

// present is the candidate of a flow for a slot: its first call whose caller is there.
func present(waiting []*waiter) (index int, due time.Time) {
	index = slices.IndexFunc(waiting, func(w *waiter) bool { return !w.away })
	if index < 0 {
		return index, time.Time{}
	}
	return index, waiting[index].share.ready()
}

func (q *queue) add(w *waiter) {
	q.lanes[w.lane].add(w)
	q.size++
}

// next takes out the call whose turn it is, of the candidates that may go now; nil if there is none.
func (q *queue) next(now time.Time, of candidate) *waiter {
	for _, lane := range q.order() {
		if w := q.lanes[lane].next(now, of); w != nil {
			q.served++
			q.last[lane] = q.served
			q.size--
			return w
		}
	}
	return nil
}

// order is the order in which the lanes may take the next slot: the most urgent first, or in a relief slot the one that was
// served longest ago.
func (q *queue) order() (lanes [laneCount]smile.Lane) {
	for i := range lanes {
		lanes[i] = smile.Lane(i)
	}
	if (q.served+1)%relief == 0 {
		slices.SortStableFunc(lanes[:], func(a, b smile.Lane) int { return cmp.Compare(q.last[a], q.last[b]) })
	}
	return lanes
}

// earliest is when the first of the candidates may go; false if there is none.
func (q *queue) earliest(of candidate) (first time.Time, found bool) {
	for lane := range q.lanes {
		for _, waiting := range q.lanes[lane].flows {
			if index, due := of(waiting); index >= 0 && (!found || due.Before(first)) {
				first, found = due, true
			}
		}
	}
	return first, found
}

// upTo is how many wait in a lane and the more urgent ones.
func (q *queue) upTo(lane smile.Lane) (count int) {
	for i := range lane + 1 {
		count += q.lanes[i].size
	}
	return count
}

// ofFlow is how many of them are of one flow.
func (q *queue) ofFlow(flow string, lane smile.Lane) (count int) {
	for i := range lane + 1 {
		count += len(q.lanes[i].flows[flow])
	}
	return count
}

// displace takes out a call in favor of a more urgent one: the newest call of the longest flow in the least urgent lane. It is
// nil if no call is less urgent.
func (q *queue) displace(by *waiter) *waiter {
	for lane := laneCount - 1; lane > by.lane; lane-- {
		if w := q.lanes[lane].newest(); w != nil {
			q.remove(w)
			return w
		}
	}
	return nil
}

// remove takes out a call that no longer waits.
func (q *queue) remove(w *waiter) {
	if q.lanes[w.lane].remove(w) {
		q.size--
	}
}

// drain empties the queue.
func (q *queue) drain() []*waiter {
	all := make([]*waiter, 0, q.size)
	for lane := range q.lanes {
		for _, waiting := range q.lanes[lane].flows {
			all = append(all, waiting...)
		}
	}
	*q = queue{served: q.served, last: q.last}
	return all
}

// turns are the calls of one lane: flows take turns, each first come, first served.
type turns struct {
	order []string
	flows map[string][]*waiter
	size  int
}

func (t *turns) add(w *waiter) {
	if t.flows == nil {
		t.flows = map[string][]*waiter{}
	}
	t.size++
	waiting := t.flows[w.flow]
	switch {
	case w.again:
		t.order = slices.DeleteFunc(t.order, func(flow string) bool { return flow == w.flow })
		t.order = slices.Insert(t.order, 0, w.flow)
	case len(waiting) == 0:
		t.order = append(t.order, w.flow)
	}
	t.flows[w.flow] = slices.Insert(waiting, w.position(waiting), w)
}

// position is the place of a new call among those of its flow: at the end, or, if it goes first, after others that go first.
func (w *waiter) position(waiting []*waiter) int {
	behind := func(other *waiter) bool { return !other.again && (!other.continues || w.again) }
	if first := slices.IndexFunc(waiting, behind); first >= 0 && (w.again || w.continues) {
		return first
	}
	return len(waiting)
}

// next takes out the call whose turn it is, of the candidates that may go now; nil if none may.
func (t *turns) next(now time.Time, of candidate) *waiter {
	for i, flow := range t.order {
		index, due := of(t.flows[flow])
		if index < 0 || due.After(now) {
			continue
		}
		w := t.flows[flow][index]
		t.order = slices.Delete(t.order, i, i+1)
		t.keep(flow, slices.Delete(t.flows[flow], index, index+1))
		if len(t.flows[flow]) > 0 {
			t.order = append(t.order, flow)
		}
		return w
	}
	return nil
}

// newest is the last call of the longest flow; nil if no call waits.
func (t *turns) newest() *waiter {
	var longest []*waiter
	for _, waiting := range t.flows {
		if len(waiting) > len(longest) {
			longest = waiting
		}
	}
	if len(longest) == 0 {
		return nil
	}
	return longest[len(longest)-1]
}

func (t *turns) remove(w *waiter) bool {
	i := slices.Index(t.flows[w.flow], w)
	if i < 0 {
		return false
	}
	t.keep(w.flow, slices.Delete(t.flows[w.flow], i, i+1))
	if len(t.flows[w.flow]) == 0 {
		t.order = slices.DeleteFunc(t.order, func(flow string) bool { return flow == w.flow })
	}
	return true
}

// keep stores what is left of a flow after one was taken out.
func (t *turns) keep(flow string, waiting []*waiter) {
	t.size--
	if len(waiting) == 0 {
		delete(t.flows, flow)
		return
	}
	t.flows[flow] = waiting
}
