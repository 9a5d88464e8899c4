package mirror

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/internal/connection"
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

// cost is how many pages a listing of everything has, or how many at least. The zero cost is unknown.
type cost struct{ pages int }

// limit is how many pages a listing may have that is worth its calls when so many users are to be read; 0 when it is
// surely cheaper to ask for each of them.
func (c cost) limit(users int) int {
	if users < 2 || c.pages > users {
		return 0
	}
	return users
}

const pageSize = 150

func pages(items int) int { return max(1, (items+pageSize-1)/pageSize) }

// paged passes on the items of a listing while it is worth its calls, and learns what it costs. It tells whether that
// was all.
func paged[T any](listing iter.Seq2[T, error], learned *cost, limit int, take func(T)) (all bool, err error) {
	items := 0
	for item, err := range listing {
		if err != nil {
			return false, err
		}
		items++
		if learned.pages = pages(items); learned.pages > limit {
			return false, nil
		}
		take(item)
	}
	return true, nil
}

// Want asks for the accounts of a user to be read soon, together with whatever else is due then. Whoever should know
// is woken if that is news to them.
func (m *Mirror) Want(userID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.wanted[userID] = true
}

// WantSince does so unless the accounts are known as they were at a time or later.
func (m *Mirror) WantSince(userID string, at time.Time) {
	if m.olderThan(at, accountsOf)(userID) {
		m.Want(userID)
	}
}

// Hint says from when on the accounts and tasks of a user must be read, of whom Smile has hinted that something
// changed; zero when they need not. A hint that was stored before this process began may not have been heeded, unless it
// is so old that a listing has made up for it.
func (s *Set) Hint(hintedAt *metav1.MicroTime, interval time.Duration) time.Time {
	if hintedAt == nil || hintedAt.Time.Before(s.started.Add(-interval)) {
		return time.Time{}
	}
	return hintedAt.Time
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

// Catch does, at once, what is due now, for tests that call instead of Start.
func (s *Set) Catch(ctx context.Context) {
	for _, m := range s.all() {
		if m.due(s.Clock.Now()) {
			m.round(ctx)
		}
	}
}

// Next is when something will be due; false when nothing ever will.
func (s *Set) Next() (next time.Time, ok bool) {
	for _, m := range s.all() {
		if at, due := m.next(s.Clock.Now()); due && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok
}

func (m *Mirror) due(now time.Time) bool {
	next, ok := m.next(now)
	return ok && !next.After(now)
}

// next is when the next round is due: on the grid, or at once when something is wanted. What struck before this
// process began is not due because it began.
func (m *Mirror) next(now time.Time) (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &m.rounds
	if len(r.connections) == 0 {
		return time.Time{}, false
	}
	grid := Grid(m.account, m.interval(), now)
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
func (m *Mirror) interval() time.Duration {
	return slices.Min(slices.Collect(maps.Values(m.rounds.connections)))
}

// struck tells whether a round on the grid is due.
func (m *Mirror) struck(grid Due) bool {
	return grid.Last.After(m.set.started) && m.rounds.began.Before(grid.Last)
}

// round reads what is due: on the grid the accounts and the tasks of all users, once a day the users themselves, and
// at any time the accounts of whom somebody wants to know.
func (m *Mirror) round(ctx context.Context) {
	began := m.set.Clock.Now()
	of := m.members(ctx)
	if of.client == nil {
		m.wait(began)
		return
	}
	lives, err := m.population(ctx, of)
	if err == nil {
		err = m.survey(ctx, of.client, lives, began)
	}
	if err != nil {
		log.FromContext(ctx).V(1).Info("a round of listings ended early", "cause", err.Error())
		m.retry(began)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.failures = 0
}

// wait tries again later without having called anything.
func (m *Mirror) wait(began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.retryAt = began.Add(roundRetry)
}

func (m *Mirror) retry(began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.retryAt = began.Add(min(roundRetry<<min(m.rounds.failures, 10), longestRetry))
	m.rounds.failures++
}

func (m *Mirror) survey(ctx context.Context, client *smile.Client, lives population, began time.Time) error {
	m.mu.Lock()
	grid := Grid(m.account, m.interval(), began)
	struck := m.struck(grid)
	wanted := m.rounds.wanted
	m.rounds.wanted = map[string]bool{}
	m.mu.Unlock()
	if !struck {
		return m.readWanted(ctx, client, lives, wanted)
	}
	for _, step := range []func() error{
		func() error { return m.surveyUsers(ctx, client, lives, began) },
		func() error { return m.surveyAccounts(ctx, client, lives, m.olderThan(grid.Last, accountsOf)) },
		func() error { return m.surveyTasks(ctx, client, lives, grid.Last) },
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

// readWanted reads the accounts that somebody wants; of those that could not be read it is wanted again.
func (m *Mirror) readWanted(ctx context.Context, client *smile.Client, lives population, wanted map[string]bool) error {
	err := m.surveyAccounts(ctx, client, lives, func(userID string) bool { return wanted[userID] })
	if err != nil {
		for userID := range wanted {
			m.Want(userID)
		}
	}
	return err
}

func accountsOf(p *person) moment { return p.accountsAt }
func tasksOf(p *person) moment    { return p.tasksAt }

// olderThan tells of users whether what is known of them is older than a point in time.
func (m *Mirror) olderThan(at time.Time, what func(*person) moment) func(userID string) bool {
	limit := m.set.moment(at)
	return func(userID string) bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		p := m.people.byID[userID]
		return p == nil || what(p) < limit
	}
}

// surveyUsers looks once a day whether all users are still there, and whether there are several of one: in a listing of
// all when that is fewer calls than asking for each. Where a second user may have come to be, it looks right away at
// the newest ones.
func (m *Mirror) surveyUsers(ctx context.Context, client *smile.Client, lives population, began time.Time) error {
	m.mu.Lock()
	daily := Grid(m.account, day, began).Last
	due := daily.After(m.set.started) && m.rounds.usersAt.Before(daily)
	suspected, limit := m.rounds.suspectedAt, m.rounds.users.limit(len(lives))
	m.mu.Unlock()
	if began.Before(suspected.Add(surelyListed)) {
		suspected = time.Time{}
	}
	var err error
	switch {
	case due && limit > 0:
		err = m.listUsers(ctx, client, want{notBefore: daily, passes: 1, limit: limit})
		if errors.Is(err, errNotWorth) {
			m.mu.Lock()
			m.rounds.users = cost{limit + 1}
			m.mu.Unlock()
			return m.surveyUsers(ctx, client, lives, began)
		}
	case due:
		err = m.askForEach(ctx, client, slices.Sorted(maps.Keys(lives)))
	case !suspected.IsZero():
		err = m.listUsers(ctx, client, want{since: dayBefore(suspected), notBefore: suspected, passes: 1})
	default:
		return nil
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if due {
		m.rounds.usersAt = began
	}
	if due || m.rounds.suspectedAt.Equal(suspected) {
		m.rounds.suspectedAt = time.Time{}
	}
	return nil
}

// listUsers waits for a listing longer than a reconciler would.
func (m *Mirror) listUsers(ctx context.Context, client *smile.Client, wanted want) error {
	for {
		err := m.walk(ctx, client, wanted)
		if !errors.Is(err, errListing) {
			return err
		}
	}
}

func (m *Mirror) askForEach(ctx context.Context, client *smile.Client, ids []string) error {
	for _, id := range ids {
		remote, err := client.User(ctx, id)
		switch {
		case smile.IsNotFound(err):
			m.doubt(id)
		case err != nil:
			return err
		default:
			m.Add(remote)
		}
	}
	return nil
}

// doubt has those who are about a user ask for themselves whether it is still there.
func (m *Mirror) doubt(userID string) {
	m.mu.Lock()
	m.people.unmark(m.people.get(userID))
	m.doubted[userID] = true
	m.mu.Unlock()
	m.tell([]string{userID})
}

// Suspect has the newest users listed with the next round, because something happened of which there might be a second
// user of one person.
func (m *Mirror) Suspect() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.suspectedAt = m.set.Clock.Now()
}

// surveyAccounts reads the accounts of those that are due: by one listing of all when that is fewer calls than asking
// for each.
func (m *Mirror) surveyAccounts(ctx context.Context, client *smile.Client, lives population, due func(string) bool) error {
	ids := lives.ids(false, due)
	if len(ids) == 0 {
		return nil
	}
	former, known := lives.accounts()
	m.mu.Lock()
	m.vanished.known = max(known, m.people.accounts(lives))
	limit := m.rounds.accounts.limit(len(ids))
	m.mu.Unlock()
	if limit > 0 {
		began := m.set.now()
		read := make(map[string][]smile.Account, len(lives))
		for id := range lives {
			read[id] = nil
		}
		worth, err := paged(client.Accounts(ctx, smile.AccountFilter{}), &m.rounds.accounts, limit, func(a smile.Account) {
			if _, lives := read[a.UserID]; lives {
				read[a.UserID] = append(read[a.UserID], a)
			}
		})
		if err != nil {
			return err
		}
		if worth {
			surveys.WithLabelValues("accounts", "listing").Inc()
			m.tell(m.learnAccounts(began, read, former))
			return nil
		}
	}
	surveys.WithLabelValues("accounts", "per-user").Inc()
	for _, id := range ids {
		err := m.readAccounts(ctx, client, id, former[id])
		if smile.IsNotFound(err) {
			m.doubt(id)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// surveyTasks does the same for the tasks of the synced, from the day on up to which all are known to be read.
func (m *Mirror) surveyTasks(ctx context.Context, client *smile.Client, lives population, grid time.Time) error {
	ids := lives.ids(true, m.olderThan(grid, tasksOf))
	if len(ids) == 0 {
		return nil
	}
	m.mu.Lock()
	limit, since := m.rounds.tasks.limit(len(ids)), m.rounds.tasksSince
	m.mu.Unlock()
	unfinished := oldest{at: m.set.Clock.Now()}
	if limit > 0 {
		began, found := m.set.now(), finished{}
		worth, err := paged(client.Tasks(ctx, smile.TaskFilter{StartDate: since}), &m.rounds.tasks, limit, func(t smile.Task) {
			found.add(t.Source.UserID, t)
			unfinished.see(t)
		})
		if err != nil {
			return err
		}
		if worth {
			surveys.WithLabelValues("tasks", "listing").Inc()
			m.tell(m.learnTasks(began, ids, found, false))
			m.tasksRead(unfinished)
			return nil
		}
	}
	surveys.WithLabelValues("tasks", "per-user").Inc()
	for _, id := range ids {
		if err := m.readTasks(ctx, client, id, unfinished.see); err != nil && !smile.IsNotFound(err) {
			return err
		}
	}
	m.tasksRead(unfinished)
	return nil
}

// oldest is when the oldest task began that has not finished yet, or when it was asked.
type oldest struct{ at time.Time }

func (o *oldest) see(t smile.Task) {
	if t.Status != smile.TaskFinished && t.StartedAt.Before(o.at) && o.at.Sub(t.StartedAt) < longestTask {
		o.at = t.StartedAt
	}
}

// tasksRead notes that all tasks that had finished have been read. What the next listing costs is another matter.
func (m *Mirror) tasksRead(unfinished oldest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.tasksSince, m.rounds.tasks = dayBefore(unfinished.at), cost{}
}

// dayBefore is the day before that of a point in time: in which time zone Smile tells days apart is not known.
func dayBefore(at time.Time) time.Time { return at.UTC().Truncate(day).Add(-day) }

// TasksSince is the day from which tasks are to be listed, to go on from after a restart.
func (m *Mirror) TasksSince() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rounds.tasksSince
}

// Resume tells up to which day the tasks of a connection's users were read before, by this process or another. It
// counts for a connection that has just come, or was suspended for so long that listings went on without it.
func (m *Mirror) Resume(conn *connection.Connection, tasksSince *metav1.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.set.Clock.Now()
	absent := now.Sub(m.rounds.heard[conn.Name]) > conn.ResyncInterval
	m.rounds.heard[conn.Name] = now
	if !absent || tasksSince == nil {
		return
	}
	if m.rounds.tasksSince.IsZero() || tasksSince.Time.Before(m.rounds.tasksSince) {
		m.rounds.tasksSince = tasksSince.Time
	}
}
