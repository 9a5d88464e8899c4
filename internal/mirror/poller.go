package mirror

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/schedule"
)

const (
	// tick is how often it is checked which polls are due. Refreshes that are requested within one tick are made together.
	tick = time.Second
	// pollRetry is after how long a poll is retried that failed, or for which no connection was ready. The delay doubles with
	// each failure in a row, up to longestRetry.
	pollRetry    = 30 * time.Second
	longestRetry = 15 * time.Minute
	day          = 24 * time.Hour
)

// poller polls an API account: it decides when. Polls of the same account do not overlap.
type poller struct {
	*members
	objects client.Reader
	backlog *backlog
	// running is true during a poll. The poll owns the refresher.
	running   atomic.Bool
	refresher refresher
	// activities request refreshes.
	activities activities

	mu     sync.Mutex
	timing timing
	// requested are users whose accounts are to be refreshed at once.
	requested map[string]bool
}

// timing is when polls are due.
type timing struct {
	// began is when the last complete poll on the grid began.
	began time.Time
	// retryAt is when a poll that failed may be retried; failures is how many have failed in a row.
	retryAt  time.Time
	failures int
}

func newPoller(set *Set, account string, memory *Memory, listings *listings) *poller {
	backlog := &backlog{}
	return &poller{
		members: &members{
			timeline: set.timeline, account: account, registry: set.Connections, byName: map[types.NamespacedName]member{},
		},
		objects: set.Objects, backlog: backlog, requested: map[string]bool{},
		refresher: refresher{account: account, memory: memory, listings: listings, backlog: backlog},
	}
}

// Start polls all API accounts until ctx ends.
func (s *Set) Start(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		s.forgetUnused()
		for _, m := range s.all() {
			if poll, ok := m.poller.begin(s.Clock.Now()); ok {
				running.Go(func() { poll(ctx) })
			}
		}
	}
}

// PollDue makes the polls that are due, for tests that call it instead of Start.
func (s *Set) PollDue(ctx context.Context) {
	for _, m := range s.all() {
		if poll, ok := m.poller.begin(s.Clock.Now()); ok {
			poll(ctx)
		}
	}
}

// NextPoll is when the next poll will be due; ok is false if none ever will.
func (s *Set) NextPoll() (next time.Time, ok bool) {
	for _, m := range s.all() {
		if at, due := m.poller.next(s.Clock.Now()); due && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok
}

func (p *poller) request(userID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requested[userID] = true
}

// takeRequested returns the users for which a refresh was requested, and forgets the requests.
func (p *poller) takeRequested() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	requested := p.requested
	p.requested = map[string]bool{}
	return requested
}

// begin returns the poll that is due, which the caller must run; ok is false if none is due or one is running.
func (p *poller) begin(now time.Time) (poll func(context.Context), ok bool) {
	for userID, since := range p.activities.due(now) {
		if !p.refresher.memory.AccountsReadSince(userID, since) {
			p.request(userID)
		}
	}
	if next, ok := p.next(now); !ok || next.After(now) || !p.running.CompareAndSwap(false, true) {
		return nil, false
	}
	return func(ctx context.Context) {
		defer p.running.Store(false)
		p.poll(ctx)
	}, true
}

// next is when the next poll is due: on the grid, or at once if a refresh was requested. A poll that was due before this process
// began is skipped.
func (p *poller) next(now time.Time) (next time.Time, ok bool) {
	grid, ok := p.grid(now)
	if !ok {
		return time.Time{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next = grid.Next
	if at, ok := p.activities.next(); ok && at.Before(next) {
		next = at
	}
	if len(p.requested) > 0 || p.missed(grid) {
		next = now
	}
	if p.timing.retryAt.After(next) {
		next = p.timing.retryAt
	}
	return next, true
}

// grid is the schedule of polls; ok is false if no connection uses the API account.
func (p *poller) grid(now time.Time) (grid schedule.Due, ok bool) {
	interval, ok := p.interval()
	if !ok {
		return schedule.Due{}, false
	}
	return schedule.Grid(p.account, interval, now), true
}

// missed reports whether the poll at the last time of the grid was not made yet.
func (p *poller) missed(grid schedule.Due) bool {
	return grid.Last.After(p.started) && p.timing.began.Before(grid.Last)
}

// onGrid reports whether a poll that begins now is one on the grid. If not, it refreshes only what was requested.
func (p *poller) onGrid(now time.Time) (grid schedule.Due, due bool) {
	grid, ok := p.grid(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	return grid, ok && p.missed(grid)
}

func (p *poller) poll(ctx context.Context) {
	began := p.clock.Now()
	ready := true
	err := recovered(ctx, func() (err error) {
		ready, err = p.attempt(ctx, began)
		return err
	})
	if err != nil {
		log.FromContext(ctx).V(1).Info("a poll failed and will be retried", "cause", err.Error())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil:
		p.timing.retryAt = began.Add(min(pollRetry<<min(p.timing.failures, 10), longestRetry))
		p.timing.failures++
	case !ready:
		p.timing.retryAt = began.Add(pollRetry)
	default:
		p.timing.failures = 0
	}
}

// attempt polls once; ready is false if no connection is.
func (p *poller) attempt(ctx context.Context, began time.Time) (ready bool, err error) {
	usable := p.usable(ctx)
	if usable.client == nil {
		return false, nil
	}
	users, err := readPopulation(ctx, p.objects, usable.names)
	if err != nil {
		return true, err
	}
	poll := newPoll(&p.refresher, usable, users, began)
	ctx = connection.WithAll(ctx)
	grid, due := p.onGrid(began)
	if !due {
		return true, p.refreshRequested(ctx, poll)
	}
	if err := poll.users(ctx); err != nil {
		return true, err
	}
	if err := p.refreshRequested(ctx, poll); err != nil {
		return true, err
	}
	if err := poll.all(ctx, grid.Last); err != nil {
		return true, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timing.began = began
	return true, nil
}

// refreshRequested makes the refreshes that were requested, and wakes the objects. A refresh that failed is requested again.
func (p *poller) refreshRequested(ctx context.Context, poll *poll) error {
	requested, began := p.takeRequested(), p.clock.Now()
	err := recovered(ctx, func() error { return poll.requested(ctx, requested) })
	var read []string
	for userID := range requested {
		if err != nil && !p.refresher.memory.AccountsReadSince(userID, began) {
			p.request(userID)
			continue
		}
		read = append(read, userID)
	}
	p.refresher.memory.notify(read)
	return err
}

// age is how old the oldest part of what is known is. The statuses of the objects are what is known when the process begins.
func (p *poller) age() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := p.started
	if p.timing.began.After(since) {
		since = p.timing.began
	}
	return p.clock.Since(since)
}
