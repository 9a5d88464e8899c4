package transport

import (
	"context"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// patience is the longest pause for which calls wait. During a longer one, calls fail
	// at once, so that they do not occupy their workers.
	patience = 5 * time.Second
	// longestWait is how long a call waits for its slot, for the same reason.
	longestWait = 30 * time.Second
	// maxQueue bounds how many calls wait.
	maxQueue = 1000
	// defaultPause is how long no call is sent to a host that repeatedly refuses calls as too
	// many without a Retry-After.
	defaultPause = time.Second
	// lone is the time within which two refusals show that the pace is too high.
	lone = 10 * time.Second

	// slowest is the smallest part of the limit to which the pace is reduced.
	slowest = 1.0 / 16
	// recovery is the part of the limit that is regained in each second without a refusal.
	recovery = 0.05
)

// Budget paces the calls of the whole process to one API host. It slows down if the
// host refuses calls as too many, because others may call it from the same address,
// and recovers gradually. The zero Budget is not usable.
type Budget struct {
	// limit is the present limit, in calls a second; 0 is none.
	limit func() float64

	mu sync.Mutex
	// share is the part of the limit that is used, from slowest to 1, at the time since.
	share float64
	since time.Time
	pace  pacer
	// refused is when the host last refused a call that was sent after the refusal before.
	refused time.Time
	// resume is when the last pause ends.
	resume time.Time
	// waiting are the calls whose turn is near. parked are the places of calls whose reconciles have ended (turn.go).
	waiting, parked queue
	// called are the places in waiting whose callers were woken, oldest first.
	called []*waiter
	// granted counts the calls that got a slot, by lane.
	granted [laneCount]int
	// wake is the timer that serves the queues at wakeAt; nil while no call waits.
	wake   *time.Timer
	wakeAt time.Time
}

// NewBudget returns a budget of requestsPerSecond; 0 is no limit.
func NewBudget(requestsPerSecond float64) *Budget {
	return newBudget(func() float64 { return requestsPerSecond })
}

func newBudget(limit func() float64) *Budget { return &Budget{limit: limit, share: 1} }

// RequestsPerSecond returns the limit; 0 is none.
func (b *Budget) RequestsPerSecond() float64 { return b.limit() }

// Wait returns nil when a call may be sent, in the lane, flow and share of the context. It returns the error of the context if
// that ends first. It returns a *smile.PausedError during a pause of more than 5 s, after 30 s, if too many calls wait already,
// or at once if the turn of the context's caller is far away. Slots that are not used are lost.
func (b *Budget) Wait(ctx context.Context) error {
	_, err := b.wait(ctx, false)
	return err
}

// wait is Wait, and returns the departure for departed. A call that is sent again, because the host refused it as one too many,
// goes before the others of its lane.
func (b *Budget) wait(ctx context.Context, again bool) (*departure, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, err := b.enter(ctx, again)
	if err != nil {
		return nil, err
	}
	return &w.going, b.await(ctx, w)
}

// departed records that a call is written now, which is later than its slot: waking up and connecting took time.
func (b *Budget) departed(going *departure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	going.at = time.Now()
}

func (b *Budget) await(ctx context.Context, w *waiter) error {
	limit := time.NewTimer(longestWait)
	defer limit.Stop()
	select {
	case err := <-w.granted:
		return err
	case <-ctx.Done():
		return b.leave(w, ctx.Err())
	case <-limit.C:
		return b.leave(w, &smile.PausedError{RetryAfter: longestWait})
	}
}

// enter adds a call to the queue, and takes a slot at once if one is due.
func (b *Budget) enter(ctx context.Context, again bool) (*waiter, error) {
	w := b.waiterOf(ctx, again)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if pause := b.resume.Sub(now); pause > patience {
		return nil, &smile.PausedError{RetryAfter: pause}
	}
	w, err := b.admit(w, now)
	if err == nil {
		w.granted = make(chan error, 1)
		w.caller.Proceed()
	}
	b.grant(now)
	return w, err
}

// leave ends a wait early, unless the call got its slot at that very moment.
func (b *Budget) leave(w *waiter, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case granted := <-w.granted:
		return granted
	default:
		b.waiting.remove(w)
		b.grant(time.Now())
		return err
	}
}

// serve gives the slots that are due to the calls whose turn it is.
func (b *Budget) serve() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.grant(time.Now())
}

// grant gives the slots that are due now, wakes callers whose turn is near, and continues when the next slot is due.
func (b *Budget) grant(now time.Time) {
	for !b.due().After(now) {
		w := b.waiting.next(now, present)
		if w == nil {
			break
		}
		b.take(w, now)
		w.share.take(w, now)
		b.granted[w.lane]++
		w.granted <- nil
	}
	b.call(now)
	b.arm(now)
}

// nextEvent is when there will be something to do: a slot for a call that waits, a caller to wake, or a woken caller that has not
// come. False means that no call waits.
func (b *Budget) nextEvent() (next time.Time, found bool) {
	if ready, ok := b.waiting.earliest(present); ok {
		next, found = later(b.due(), ready), true
	}
	if at, ok := b.parked.earliest(b.callable); ok && (!found || at.Before(next)) {
		next, found = at, true
	}
	if len(b.called) > 0 {
		if at := b.called[0].calledAt.Add(calledFor); !found || at.Before(next) {
			next, found = at, true
		}
	}
	return next, found
}

// arm sets the timer to when there will be something to do.
func (b *Budget) arm(now time.Time) {
	due, found := b.nextEvent()
	switch {
	case !found || b.wake != nil && b.wakeAt.Equal(due) && due.After(now):
		return
	case b.wake != nil:
		b.wake.Stop()
	}
	b.wakeAt = due
	b.wake = time.AfterFunc(max(due.Sub(now), 0), b.serve)
}

func (b *Budget) due() time.Time { return later(b.pace.due(), b.resume) }

// take plans the slot after the one that is due now.
func (b *Budget) take(w *waiter, now time.Time) {
	if limit := b.limit(); limit > 0 {
		b.pace.take(&w.going, b.due(), now, limit*b.recovered(now), limit)
	}
}

// recovered updates the share.
func (b *Budget) recovered(now time.Time) float64 {
	if quiet := now.Sub(b.since); quiet > 0 {
		b.share, b.since = min(1, b.share+recovery*quiet.Seconds()), now
	}
	return b.share
}

// Share is the part of the limit that is used at present: 1, or less after the host refused calls as too many.
func (b *Budget) Share() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.recovered(time.Now())
}

// LaneUse is the use of a budget by the calls of one lane.
type LaneUse struct {
	// Granted is how many calls got a slot so far.
	Granted int
	// Waiting is how many calls wait for their slot.
	Waiting int
	// Away is how many callers are away until their turn is near.
	Away int
}

// Use returns the use of the budget by each lane.
func (b *Budget) Use() (lanes [laneCount]LaneUse) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for lane := range lanes {
		lanes[lane] = LaneUse{b.granted[lane], b.waiting.lanes[lane].size, b.parked.lanes[lane].size}
	}
	for _, w := range b.called { // they have a place in waiting, but have not come yet
		lanes[w.lane].Waiting--
		lanes[w.lane].Away++
	}
	return lanes
}

// Refused records that the host refused a call, sent at that time, as one too many, and requires a pause; 0 if it does not say
// how long. A single refusal costs only that pause. The next one within 10 s halves the pace and pauses for at least 1 s.
// Refusals of calls that were under way together count as one.
func (b *Budget) Refused(sent time.Time, retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	pause := max(retryAfter, 0)
	if sent.After(b.refused) {
		if again := now.Sub(b.refused) < lone; again || b.limit() == 0 {
			pause = max(pause, defaultPause)
			b.share, b.since = max(slowest, b.recovered(now)/2), now.Add(pause)
		}
		b.refused = now
	}
	b.pauseUntil(now.Add(pause), now)
}

// pauseUntil sends no call before a time. If that is far away, the calls that wait fail.
func (b *Budget) pauseUntil(resume, now time.Time) {
	b.resume = later(b.resume, resume)
	if pause := b.resume.Sub(now); pause > patience {
		for _, w := range b.waiting.drain() {
			w.refuse(pause)
		}
		b.called = nil
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// BudgetSet holds one Budget per API host, and one for all hosts of the vendor; and one Host per API host.
type BudgetSet struct {
	limit func() float64

	mu      sync.Mutex
	budgets map[string]*Budget
	hosts   map[string]*Host
}

// NewBudgetSet returns a set whose budgets each have this limit; 0 is no limit.
func NewBudgetSet(requestsPerSecond float64) *BudgetSet {
	return NewVaryingBudgetSet(func() float64 { return requestsPerSecond })
}

// NewVaryingBudgetSet returns a set whose budgets have the limit that requestsPerSecond returns at the time of each call.
func NewVaryingBudgetSet(requestsPerSecond func() float64) *BudgetSet {
	return &BudgetSet{limit: requestsPerSecond, budgets: map[string]*Budget{}, hosts: map[string]*Host{}}
}

// For returns the budget of a host, always the same one. The host is a result of
// BudgetHost.
func (s *BudgetSet) For(host string) *Budget {
	s.mu.Lock()
	defer s.mu.Unlock()
	budget, ok := s.budgets[host]
	if !ok {
		budget = newBudget(s.limit)
		s.budgets[host] = budget
	}
	return budget
}
