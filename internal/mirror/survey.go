package mirror

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/schedule"
	"github.com/smile-operator/smile-operator/internal/smile"
)

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

func accountsOf(p *person) moment { return p.accountsAt }
func tasksOf(p *person) moment    { return p.tasksAt }

// olderThan tells of users whether what is known of them is older than a point in time.
func (m *shared) olderThan(at time.Time, what func(*person) moment) func(userID string) bool {
	return func(userID string) bool { return !m.readSince(userID, at, what) }
}

// surveyUsers looks once a day whether all users are still there, and whether there are several of one: in a listing of
// all when that is fewer calls than asking for each.
func (m *Mirror) surveyUsers(ctx context.Context, lives population, began time.Time) error {
	m.mu.Lock()
	daily := schedule.Grid(m.account, day, began).Last
	due := daily.After(m.set.started) && m.rounds.usersAt.Before(daily)
	m.mu.Unlock()
	if !due {
		return m.surveyNewest(ctx, began)
	}
	if err := m.readUsers(ctx, slices.Sorted(maps.Keys(lives)), daily); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.usersAt = began
	return nil
}

// readUsers learns whose these users are, in a listing that began at notBefore or later, or one by one where that is
// fewer calls.
func (m *Mirror) readUsers(ctx context.Context, ids []string, notBefore time.Time) error {
	m.mu.Lock()
	limit := m.rounds.users.limit(len(ids))
	m.mu.Unlock()
	err := errNotWorth
	if limit > 0 {
		err = m.listUsers(ctx, want{notBefore: notBefore, passes: 1, limit: limit})
	}
	if errors.Is(err, errNotWorth) {
		m.mu.Lock()
		m.rounds.users.pages = max(m.rounds.users.pages, limit+1)
		m.mu.Unlock()
		err = m.askForEach(ctx, ids)
	}
	return err
}

// proveWanted learns whose the wanted users are where that is not known, so that no object must ask for its own.
func (m *Mirror) proveWanted(ctx context.Context, lives population, wanted map[string]bool) error {
	ids := lives.ids(false, func(userID string) bool { return wanted[userID] && !m.Proven(userID) })
	if len(ids) < 2 {
		return nil
	}
	return m.readUsers(ctx, ids, time.Time{})
}

// surveyNewest lists the newest users where a second user of a person may have come to be.
func (m *Mirror) surveyNewest(ctx context.Context, began time.Time) error {
	m.mu.Lock()
	suspected := m.rounds.suspectedAt
	m.mu.Unlock()
	if suspected.IsZero() || began.Before(suspected.Add(surelyListed)) {
		return nil
	}
	if err := m.listUsers(ctx, want{since: dayBefore(suspected), notBefore: suspected, passes: 1}); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rounds.suspectedAt.Equal(suspected) {
		m.rounds.suspectedAt = time.Time{}
	}
	return nil
}

// listUsers waits for a listing longer than a reconciler would.
func (m *Mirror) listUsers(ctx context.Context, wanted want) error {
	for {
		err := m.walk(ctx, wanted)
		if !errors.Is(err, errListing) {
			return err
		}
	}
}

func (m *Mirror) askForEach(ctx context.Context, ids []string) error {
	for _, id := range ids {
		remote, err := m.client.User(ctx, id)
		switch {
		case refused(err):
			m.doubt(id)
		case err != nil:
			return err
		default:
			m.Add(remote)
		}
	}
	return nil
}

// refused tells whether a call failed because of the one user that it was about: no other is held up by that.
func refused(err error) bool { return smile.IsNotFound(err) || smile.IsForbidden(err) }

// doubt has those who are about a user ask for themselves whether it is still there.
func (m *shared) doubt(userID string) {
	m.mu.Lock()
	m.people.unmark(m.people.get(userID))
	m.doubted[userID] = true
	m.mu.Unlock()
	m.tell([]string{userID})
}

// SuspectDuplicate has the newest users listed with the next round, because something happened of which there might be a second
// user of one person.
func (m *shared) SuspectDuplicate() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.suspectedAt = m.set.Clock.Now()
}

// surveyAccounts reads the accounts of those that are due: by one listing of all when that is fewer calls than asking
// for each.
func (m *Mirror) surveyAccounts(ctx context.Context, of members, lives population, due func(string) bool) error {
	ids := lives.ids(false, due)
	if len(ids) == 0 {
		return nil
	}
	stake, known := lives.staked()
	m.mu.Lock()
	m.disappearances.known = known
	limit := m.rounds.accounts.limit(len(ids))
	m.mu.Unlock()
	if limit > 0 {
		began := m.set.now()
		read := make(map[string][]smile.Account, len(lives))
		for id := range lives {
			read[id] = nil
		}
		worth, err := paged(m.client.Accounts(ctx, smile.AccountFilter{}), &m.rounds.accounts, limit, func(a smile.Account) {
			if _, lives := read[a.UserID]; lives {
				read[a.UserID] = append(read[a.UserID], a)
			}
		})
		if err != nil {
			return err
		}
		if worth {
			surveys.WithLabelValues("accounts", "listing").Inc()
			m.tell(m.learnAccounts(began, read, atStake{stake, of.confirmed}))
			return nil
		}
	}
	surveys.WithLabelValues("accounts", "per-user").Inc()
	return m.askForAccounts(ctx, ids, atStake{stake, of.confirmed})
}

// askForAccounts reads the accounts of users one by one. No disappearance is reported before all were read: otherwise the
// first data would be erased before the number of disappearances is known.
func (m *Mirror) askForAccounts(ctx context.Context, ids []string, stake atStake) error {
	var last []string
	defer func() { m.tell(last) }()
	for _, id := range ids {
		changed, err := m.readAccounts(ctx, id, stake)
		switch {
		case refused(err):
			m.doubt(id)
		case err != nil:
			return err
		case m.misses(id, stake):
			last = append(last, changed...)
		default:
			m.tell(changed)
		}
	}
	return nil
}

// surveyTasks does the same for the tasks of the synced, from the day on up to which all are known to be read.
func (m *Mirror) surveyTasks(ctx context.Context, lives population, grid time.Time) error {
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
		worth, err := paged(m.client.Tasks(ctx, smile.TaskFilter{StartDate: since}), &m.rounds.tasks, limit, func(t smile.Task) {
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
		if err := m.readTasks(ctx, "", id, unfinished.see); err != nil && !refused(err) {
			return err
		}
	}
	m.tasksRead(unfinished)
	return nil
}

// oldest is when the oldest task began that has not finished yet, or when it was asked.
type oldest struct{ at time.Time }

func (o *oldest) see(t smile.Task) {
	if t.Status != smile.TaskFinished && !t.Finished() && t.StartedAt.Before(o.at) && o.at.Sub(t.StartedAt) < longestTask {
		o.at = t.StartedAt
	}
}

// tasksRead notes that all tasks that had finished have been read. What the next listing costs is another matter.
func (m *shared) tasksRead(unfinished oldest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rounds.tasksSince, m.rounds.tasks = dayBefore(unfinished.at), cost{}
}

// dayBefore is the day before that of a point in time: in which time zone Smile tells days apart is not known.
func dayBefore(at time.Time) time.Time { return at.UTC().Truncate(day).Add(-day) }

// TasksSince is the day from which tasks are to be listed, to go on from after a restart.
func (m *shared) TasksSince() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rounds.tasksSince
}

// ResumeTasks tells up to which day the tasks of a connection's users were read before, by this process or another. It
// counts for a connection that has just come, or was suspended for so long that listings went on without it.
func (m *shared) ResumeTasks(conn *connection.Connection, tasksSince *metav1.Time) {
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
