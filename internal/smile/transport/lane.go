package transport

import (
	"context"
	"slices"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// laneCount is the number of lanes.
const laneCount = smile.LaneRefresh + 1

type flowKey struct{}

// WithFlow names whose calls those of a context are. Within a lane, flows take
// turns, so that nobody waits because somebody else has much to do.
func WithFlow(ctx context.Context, flow string) context.Context {
	return context.WithValue(ctx, flowKey{}, flow)
}

func flowOf(ctx context.Context) string {
	flow, _ := ctx.Value(flowKey{}).(string)
	return flow
}

// waiter is a call that waits for its slot.
type waiter struct {
	lane    smile.Lane
	flow    string
	granted chan error
}

// relief is how often a slot goes to the least urgent lane that waits, so that a
// lane with much to do starves none below.
const relief = 8

// queue holds the waiting calls, and says whose turn it is. The zero queue is empty.
type queue struct {
	lanes  [laneCount]turns
	size   int
	served int
}

func (q *queue) add(w *waiter) {
	q.lanes[w.lane].add(w)
	q.size++
}

// next takes out the call whose turn it is; the queue must not be empty.
func (q *queue) next() *waiter {
	q.served++
	q.size--
	if q.served%relief == 0 {
		for lane := laneCount - 1; ; lane-- {
			if !q.lanes[lane].empty() {
				return q.lanes[lane].next()
			}
		}
	}
	for lane := smile.LaneRevoke; ; lane++ {
		if !q.lanes[lane].empty() {
			return q.lanes[lane].next()
		}
	}
}

// remove takes out a call that waits no longer.
func (q *queue) remove(w *waiter) {
	if q.lanes[w.lane].remove(w) {
		q.size--
	}
}

// drain empties the queue.
func (q *queue) drain() []*waiter {
	all := make([]*waiter, 0, q.size)
	for q.size > 0 {
		all = append(all, q.next())
	}
	return all
}

// turns are the calls of one lane: flows take turns, each first come, first served.
type turns struct {
	order []string
	flows map[string][]*waiter
}

func (t *turns) empty() bool { return len(t.order) == 0 }

func (t *turns) add(w *waiter) {
	if t.flows == nil {
		t.flows = map[string][]*waiter{}
	}
	if len(t.flows[w.flow]) == 0 {
		t.order = append(t.order, w.flow)
	}
	t.flows[w.flow] = append(t.flows[w.flow], w)
}

func (t *turns) next() *waiter {
	flow := t.order[0]
	w := t.flows[flow][0]
	t.order = t.order[1:]
	t.keep(flow, t.flows[flow][1:])
	if len(t.flows[flow]) > 0 {
		t.order = append(t.order, flow)
	}
	return w
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

func (t *turns) keep(flow string, waiting []*waiter) {
	if len(waiting) == 0 {
		delete(t.flows, flow)
		return
	}
	t.flows[flow] = waiting
}
