package mirror

import (
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// backlog is what the next polls must cover besides what is new.
type backlog struct {
	mu sync.Mutex
	// tasksSince is the day from which tasks must be listed; zero for all.
	tasksSince time.Time
	// suspectedAt is when something happened that may have created a second user of a person; zero if nothing has.
	suspectedAt time.Time
}

func (b *backlog) suspect(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.suspectedAt = at
}

func (b *backlog) suspected() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.suspectedAt
}

// cleared records that what was suspected at a time has been checked.
func (b *backlog) cleared(suspectedAt time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.suspectedAt.Equal(suspectedAt) {
		b.suspectedAt = time.Time{}
	}
}

func (b *backlog) tasksFrom() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tasksSince
}

// tasksRead records that all tasks from a day on have been read that had finished. If an earlier day was requested meanwhile, the
// next poll still lists from that day.
func (b *backlog) tasksRead(from time.Time, unfinished oldest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.tasksSince.Before(from) {
		b.tasksSince = dayBefore(unfinished.at)
	}
}

// resume makes the next poll list tasks from a day, if that is earlier than the stored day.
func (b *backlog) resume(tasksSince time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tasksSince.IsZero() || tasksSince.Before(b.tasksSince) {
		b.tasksSince = tasksSince
	}
}

// longestTask is how long an unfinished task is waited for: older ones do not extend the listings of tasks.
const longestTask = 14 * day

// oldest is when the oldest task began that has not finished yet; if there is none, when tasks were read.
type oldest struct{ at time.Time }

func (o *oldest) see(t smile.Task) {
	if t.Status != smile.TaskFinished && !t.Finished() && t.StartedAt.Before(o.at) && o.at.Sub(t.StartedAt) < longestTask {
		o.at = t.StartedAt
	}
}

// dayBefore is the day before that of a point in time. It is not known in which time zone Smile's days begin.
func dayBefore(at time.Time) time.Time { return at.UTC().Truncate(day).Add(-day) }

// SuspectDuplicate makes the next poll list the newest users, because a second user of a person may have been created.
func (m *Mirror) SuspectDuplicate() { m.poller.backlog.suspect(m.poller.clock.Now()) }

// TasksSince is the day from which tasks must be listed. After a restart, ResumeTasks continues from it.
func (m *Mirror) TasksSince() time.Time { return m.poller.backlog.tasksFrom() }

// ResumeTasks says up to which day the tasks of a connection's users were read before, by this process or another. It has an
// effect if the connection is new, or was away for so long that polls went on without it.
func (m *Mirror) ResumeTasks(conn *connection.Connection, tasksSince *metav1.Time) {
	if m.poller.reconciled(conn) && tasksSince != nil {
		m.poller.backlog.resume(tasksSince.Time)
	}
}
