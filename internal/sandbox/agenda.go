package sandbox

import (
	"container/heap"
	"math"
	"time"
)

// never is later than every event.
const never = math.MaxInt64

// event is something that happens to a tenant when its time has come.
type event interface {
	happen(t *tenant, at time.Time)
}

type appointment struct {
	at    time.Time
	order int // of making, among those of the same instant
	event event
}

// agenda is a heap of appointments, the next one first.
type agenda []appointment

func (a agenda) Len() int      { return len(a) }
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a agenda) Less(i, j int) bool {
	return a[i].at.Before(a[j].at) || a[i].at.Equal(a[j].at) && a[i].order < a[j].order
}
func (a *agenda) Push(x any) { *a = append(*a, x.(appointment)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// schedule has the event happen at that time, or in the next settle if that
// is past. The caller holds mu.
func (t *tenant) schedule(at time.Time, e event) {
	t.planned++
	heap.Push(&t.agenda, appointment{at: at, order: t.planned, event: e})
	t.next.Store(t.agenda[0].at.UnixNano())
	t.box.alarm.Set(t.agenda[0].at)
}

// settle lets everything happen that is due, each at its own time. The caller
// holds mu.
func (t *tenant) settle(now time.Time) {
	for len(t.agenda) > 0 && !t.agenda[0].at.After(now) {
		due := heap.Pop(&t.agenda).(appointment)
		due.event.happen(t, due.at)
	}
	if len(t.agenda) == 0 {
		t.next.Store(never)
		return
	}
	t.next.Store(t.agenda[0].at.UnixNano())
}

// catchUp settles without cost when nothing is due. The caller does not hold mu.
func (t *tenant) catchUp(now time.Time) {
	if now.UnixNano() < t.next.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(now)
}
