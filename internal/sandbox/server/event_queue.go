package server

import (
	"container/heap"
	"math"
	"time"
)

// never is later than every event, in Unix nanoseconds.
const never = math.MaxInt64

// event is something that happens to a tenant at a time on the sandbox clock.
type event interface {
	happen(t *tenant, at time.Time)
}

type scheduledEvent struct {
	at    time.Time
	order int // among events of the same instant
	event event
}

// eventQueue is a heap with the next event at the front.
type eventQueue []scheduledEvent

func (a eventQueue) Len() int      { return len(a) }
func (a eventQueue) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a eventQueue) Less(i, j int) bool {
	return a[i].at.Before(a[j].at) || a[i].at.Equal(a[j].at) && a[i].order < a[j].order
}
func (a *eventQueue) Push(x any) { *a = append(*a, x.(scheduledEvent)) }
func (a *eventQueue) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// schedule has the event happen at that time. If the time is past, the next
// settle does it. The caller holds mu.
func (t *tenant) schedule(at time.Time, e event) {
	t.scheduled++
	heap.Push(&t.queue, scheduledEvent{at: at, order: t.scheduled, event: e})
	t.next.Store(t.queue[0].at.UnixNano())
	t.box.alarm.Set(t.queue[0].at)
}

// settle makes everything happen that is due, each event at its own time. The
// caller holds mu.
func (t *tenant) settle(now time.Time) {
	for len(t.queue) > 0 && !t.queue[0].at.After(now) {
		due := heap.Pop(&t.queue).(scheduledEvent)
		due.event.happen(t, due.at)
	}
	if len(t.queue) == 0 {
		t.next.Store(never)
		return
	}
	t.next.Store(t.queue[0].at.UnixNano())
}

// catchUp is settle for callers without the lock. It costs nothing if nothing
// is due.
func (t *tenant) catchUp(now time.Time) {
	if now.UnixNano() < t.next.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(now)
}
