package mirror

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/schedule"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// beat is how often it is asked what is due. What is wanted within one is read together.
	beat = time.Second
	// roundRetry is when a round that failed, or that no connection was ready for, is tried again. One that fails again
	// and again waits twice as long each time, up to longestRetry.
	roundRetry   = 30 * time.Second
	longestRetry = 15 * time.Minute
	day          = 24 * time.Hour
	// surelyListed is how much later a listing of users shows for certain what was created.
	surelyListed = 2 * time.Minute
	// longestTask bounds how far back an unfinished task keeps the listings of tasks reaching.
	longestTask = 14 * day
)

// rounds is what is known of the listings that keep a mirror up to date.
type rounds struct {
	// connections that use the API account, and their resync intervals.
	connections map[types.NamespacedName]time.Duration
	// heard is when each of them last had a pass.
	heard map[types.NamespacedName]time.Time
	// wanted are users whose accounts are to be read soon.
	wanted map[string]bool
	// began is when the last complete round on the grid began, usersAt when the last one with a look at all users did.
	began, usersAt time.Time
	// retryAt is when a round that failed may be tried again, failures is how many have in a row.
	retryAt  time.Time
	failures int
	// tasksSince is the day from which tasks are to be listed.
	tasksSince time.Time
	// suspectedAt is when something happened of which there might be a second user; zero when nothing has.
	suspectedAt time.Time
	// users, accounts and tasks are what listing all of them costs.
	users, accounts, tasks cost
	running                atomic.Bool
}

// RequestRefresh asks for the accounts of a user to be read soon, together with whatever else is due then. Whoever should know
// is woken then.
func (m *shared) RequestRefresh(userID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.wanted[userID] = true
}

// RequestRefreshSince does so unless the accounts are known as they were at a time or later.
func (m *shared) RequestRefreshSince(userID string, at time.Time) {
	if !m.AccountsReadSince(userID, at) {
		m.RequestRefresh(userID)
	}
}

// Start keeps all mirrors up to date until ctx ends.
func (s *Set) Start(ctx context.Context) error {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s.forgetUnused()
		for _, m := range s.all() {
			if m.due(s.Clock.Now()) && m.rounds.running.CompareAndSwap(false, true) {
				running.Go(func() {
					defer m.rounds.running.Store(false)
					m.round(ctx)
				})
			}
		}
	}
}

// PollDue does, at once, what is due now, for tests that call instead of Start.
func (s *Set) PollDue(ctx context.Context) {
	for _, m := range s.all() {
		if m.due(s.Clock.Now()) {
			m.round(ctx)
		}
	}
}

// NextPoll is when something will be due; false when nothing ever will.
func (s *Set) NextPoll() (next time.Time, ok bool) {
	for _, m := range s.all() {
		if at, due := m.next(s.Clock.Now()); due && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok
}

func (m *shared) due(now time.Time) bool {
	next, ok := m.next(now)
	return ok && !next.After(now)
}

// next is when the next round is due: on the grid, or at once when something is wanted. What struck before this
// process began is not due because it began.
func (m *shared) next(now time.Time) (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &m.rounds
	if len(r.connections) == 0 {
		return time.Time{}, false
	}
	grid := schedule.Grid(m.account, m.interval(), now)
	at := grid.Next
	if len(r.wanted) > 0 || m.struck(grid) {
		at = now
	}
	if r.retryAt.After(at) {
		at = r.retryAt
	}
	return at, true
}

// interval is how often all is listed: as often as the most demanding connection wants.
func (m *shared) interval() time.Duration {
	return slices.Min(slices.Collect(maps.Values(m.rounds.connections)))
}

// struck tells whether a round on the grid is due.
func (m *shared) struck(grid schedule.Due) bool {
	return grid.Last.After(m.set.started) && m.rounds.began.Before(grid.Last)
}

// round reads what is due: on the grid the accounts and the tasks of all users, once a day the users themselves, and
// at any time the accounts of whom somebody wants to know.
func (m *shared) round(ctx context.Context) {
	began := m.set.Clock.Now()
	usable := true
	err := recovered(ctx, func() (err error) {
		usable, err = m.attempt(ctx, began)
		return err
	})
	switch {
	case err != nil:
		log.FromContext(ctx).V(1).Info("a round of listings ended early", "cause", err.Error())
		m.retry(began)
	case !usable:
		m.wait(began)
	default:
		m.mu.Lock()
		defer m.mu.Unlock()
		m.rounds.failures = 0
	}
}

// attempt is a round, unless no connection is usable.
func (m *shared) attempt(ctx context.Context, began time.Time) (usable bool, err error) {
	of := m.members(ctx)
	if of.client == nil {
		return false, nil
	}
	lives, err := m.population(ctx, of)
	ctx = connection.WithAll(ctx)
	if err == nil {
		err = (&Mirror{m, of.client}).survey(ctx, of, lives, began)
	}
	return true, err
}

// wait tries again later without having called anything.
func (m *shared) wait(began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.retryAt = began.Add(roundRetry)
}

func (m *shared) retry(began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.retryAt = began.Add(min(roundRetry<<min(m.rounds.failures, 10), longestRetry))
	m.rounds.failures++
}

func (m *Mirror) survey(ctx context.Context, of members, lives population, began time.Time) error {
	m.mu.Lock()
	grid := schedule.Grid(m.account, m.interval(), began)
	struck := m.struck(grid)
	m.mu.Unlock()
	if !struck {
		return m.readWanted(ctx, of, lives)
	}
	for _, step := range []func() error{
		func() error { return m.surveyUsers(ctx, lives, began) },
		func() error { return m.readWanted(ctx, of, lives) },
		func() error { return m.surveyAccounts(ctx, of, lives, m.olderThan(grid.Last, accountsOf)) },
		func() error { return m.surveyTasks(ctx, lives, grid.Last) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.began = began
	m.people.retire(lives)
	return nil
}

// readWanted reads the accounts that somebody wants, and tells that it has; what could not be read is wanted again.
func (m *Mirror) readWanted(ctx context.Context, of members, lives population) error {
	ctx = smile.WithLane(ctx, smile.LaneHint)
	m.mu.Lock()
	wanted := m.rounds.wanted
	m.rounds.wanted = map[string]bool{}
	m.mu.Unlock()
	began := m.set.Clock.Now()
	err := recovered(ctx, func() error {
		if err := m.surveyAccounts(ctx, of, lives, func(userID string) bool { return wanted[userID] }); err != nil {
			return err
		}
		return m.proveWanted(ctx, lives, wanted)
	})
	var read []string
	for userID := range wanted {
		if err != nil && !m.AccountsReadSince(userID, began) {
			m.RequestRefresh(userID)
			continue
		}
		read = append(read, userID)
	}
	m.tell(read)
	return err
}
