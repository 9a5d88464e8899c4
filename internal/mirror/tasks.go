package mirror

import (
	"maps"
	"slices"
	"time"
	"unique"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// Gathered says which data of an account Smile has finished gathering. The zero Gathered is none.
type Gathered struct {
	// last is when the newest task finished, by Smile's clock.
	last second
	// Tasks is how many tasks finished in that second.
	Tasks int32
}

// Last is when the newest task finished, by Smile's clock.
func (g Gathered) Last() time.Time { return g.last.time() }

// add counts a task that finished.
func (g *Gathered) add(finished second) {
	switch {
	case finished > g.last:
		g.last, g.Tasks = finished, 1
	case finished == g.last:
		g.Tasks++
	}
}

// Newer reports whether there is more data than was gathered when the newest task had finished at last, and so many in that
// second.
func (g Gathered) Newer(last time.Time, tasks int32) bool {
	return g.last > secondOf(last) || g.last == secondOf(last) && g.Tasks > tasks
}

func (g Gathered) newest(other Gathered) Gathered {
	if other.last > g.last || other.last == g.last && other.Tasks > g.Tasks {
		return other
	}
	return g
}

// finished are the tasks that have finished, by user and account.
type finished map[string]map[string]Gathered

func (f finished) add(userID string, task smile.Task) {
	if !task.Finished() || task.Source.SourceID == "" {
		return
	}
	if f[userID] == nil {
		f[userID] = map[string]Gathered{}
	}
	gathered := f[userID][task.Source.SourceID]
	gathered.add(secondOf(*task.FinishedAt))
	f[userID][task.Source.SourceID] = gathered
}

// TasksReadAt is when the last read of all tasks of a user began; zero if this process knows of none.
func (m *Memory) TasksReadAt(userID string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.users.byID[userID]; r != nil {
		return m.time(r.tasksAt)
	}
	return time.Time{}
}

// CachedGathered returns, by account, which data of a user was gathered. More may have been gathered before this process began.
func (m *Memory) CachedGathered(userID string) map[string]Gathered {
	m.mu.Lock()
	defer m.mu.Unlock()
	gathered := map[string]Gathered{}
	if r := m.users.byID[userID]; r != nil {
		for _, a := range r.accounts {
			if a.gathered != (Gathered{}) {
				gathered[a.id] = a.gathered
			}
		}
	}
	return gathered
}

// learnTasks stores a read of the finished tasks of some users, unless a later one is known. The read was of all tasks, or of
// those since a day: then it continues an earlier read of all. It returns the users that changed.
func (m *Memory) learnTasks(began moment, users []string, found finished, all bool) (changed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, userID := range users {
		r := m.users.get(userID)
		if r.tasksAt > began {
			continue
		}
		if r.learn(found[userID]) || m.unsent[userID] {
			changed = append(changed, userID)
			delete(m.unsent, userID)
		}
		if all || r.tasksAt > never {
			r.tasksAt = began
		}
	}
	return changed
}

// learn stores what was gathered, by account, and reports whether any of it is new.
func (r *record) learn(gathered map[string]Gathered) (news bool) {
	for _, id := range slices.Sorted(maps.Keys(gathered)) {
		i := r.account(id)
		if i < 0 {
			i = len(r.accounts)
			r.accounts = append(r.accounts, account{id: id, facts: unique.Make(facts{})})
		}
		newest := r.accounts[i].gathered.newest(gathered[id])
		news = news || newest != r.accounts[i].gathered
		r.accounts[i].gathered = newest
	}
	return news
}
