package mirror

import (
	"context"
	"errors"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// patience is how long a reconciler waits for a listing before it lets others work.
const patience = 2 * time.Second

var errListing = (&problem.Problem{
	Class: problem.Throttled, Reason: v1alpha1.ReasonThrottled,
	Message: "waiting for a listing of the users at Smile",
}).After(patience)

// want says which listing of users will do.
type want struct {
	// since is the day from which users are listed; zero for all.
	since time.Time
	// notBefore is when the listing must have started at the earliest; zero for any.
	notBefore time.Time
	// passes is how often it is walked from end to end.
	passes int
	// limit is how many pages it may have to be worth its calls; 0 for any number.
	limit int
}

// errNotWorth ends a listing that has more pages than it is worth.
var errNotWorth = errors.New("the listing is longer than it is worth")

func clearing(since, notBefore time.Time) want {
	return want{since: since, notBefore: notBefore, passes: 2}
}

// walk is a listing of users, under way or completed.
type walk struct {
	want
	started time.Time
	// startedAt is the same as the mirror keeps it.
	startedAt moment
	done      chan struct{}
	err       error
}

// satisfies tells whether this listing will do.
func (w *walk) satisfies(wanted want) bool {
	return w != nil && w.passes >= wanted.passes && !w.started.Before(wanted.notBefore) && !w.since.After(wanted.since)
}

// walks are the listing that was completed last, the one that is running, and those that together show all users.
type walks struct {
	last, running *walk
	// all is when the last listing of all users began. current is when the last listing began that shows the users that were
	// created since; zero when there was none.
	all, current time.Time
	// date is the earliest Date of a response of the last listing, by Smile's clock; datedAt is when that was read.
	date, datedAt time.Time
}

// overlap is how far a listing of the newest users reaches back before the listing of all that it continues.
const overlap = 2 * day

// missing returns the listing after which all users created before a time are known; listed is true if there was one.
func (w *walks) missing(after time.Time) (missing want, listed bool) {
	missing = want{notBefore: after, passes: 1}
	if w.all.IsZero() {
		return missing, false
	}
	missing.since = w.all.UTC().Truncate(day).Add(-overlap)
	return missing, !w.current.Before(after)
}

// completed records a listing that has succeeded.
func (w *walks) completed(of *walk) {
	w.last = of
	continues := !w.all.IsZero() && !of.since.After(w.all.UTC().Truncate(day).Add(-overlap))
	if of.since.IsZero() {
		w.all = of.started
	}
	if of.since.IsZero() || continues {
		w.current = of.started
	}
}

// walk makes sure that a listing that will do has been completed. However many wait, there is one at a time, and
// one serves all that it satisfies.
func (m *Mirror) walk(ctx context.Context, wanted want) error {
	for range 2 {
		w := m.join(wanted)
		if w == nil {
			return nil
		}
		select {
		case <-w.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(patience):
			return errListing
		}
		switch {
		case errors.Is(w.err, errNotWorth) && wanted.limit == 0:
			continue // it was worth less to whoever asked for it
		case w.err != nil:
			return w.err
		case w.satisfies(wanted):
			return nil
		}
	}
	return errListing
}

// join gives the listing to wait for, a new one if need be; nil when one that will do is complete.
func (m *Mirror) join(wanted want) *walk {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.walks.running != nil {
		return m.walks.running
	}
	if m.walks.last.satisfies(wanted) {
		return nil
	}
	w := &walk{want: wanted, started: m.set.Clock.Now(), startedAt: m.set.now(), done: make(chan struct{})}
	m.walks.running = w
	go m.run(w)
	return w
}

func (m *Mirror) run(w *walk) {
	for range w.passes {
		if w.err == nil {
			w.err = recovered(m.set.life, func() error { return m.pass(w) })
		}
	}
	changed := m.ended(w)
	close(w.done)
	m.tell(changed)
}

func (m *Mirror) pass(w *walk) error {
	users, cost := 0, cost{}
	dates := new(smile.Dates)
	ctx := smile.WithDates(connection.WithAll(m.set.life), dates)
	if w.limit == 0 {
		ctx = smile.WithLane(ctx, smile.LaneCreate) // somebody's creation waits for it
	}
	for remote, err := range m.client.Users(ctx, smile.UserFilter{StartDate: w.since}) {
		if err != nil {
			return err
		}
		users++
		if cost.pages = pages(users); w.limit > 0 && cost.pages > w.limit {
			return errNotWorth
		}
		m.add(remote, w.startedAt)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.walks.date, m.walks.datedAt = dates.Earliest(), m.set.Clock.Now()
	return nil
}

// RemoteTime is a lower bound of the current time at Smile, from the Date headers of the last listing of users; known is false if
// there were none.
func (m *shared) RemoteTime() (now time.Time, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.walks.date.Add(m.set.Clock.Since(m.walks.datedAt)), !m.walks.date.IsZero()
}

// ended takes note of a listing that has ended, and gives the users of whom it tells something new: those that it
// should have shown and did not, and those of whom there are several.
func (m *shared) ended(w *walk) (changed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.walks.running = nil
	if w.err != nil {
		return nil
	}
	m.walks.completed(w)
	for _, p := range m.people.owned {
		for q := p; q != nil && p.nextOwned != nil; q = q.nextOwned {
			changed = append(changed, q.id)
		}
	}
	if w.since.IsZero() {
		changed = append(changed, m.doubtUnseen(w.startedAt)...)
	}
	return changed
}

// doubtUnseen forgets the markers of users that a listing of all did not show, so that they are asked about one by
// one before anything is made of their absence.
func (m *shared) doubtUnseen(listedAt moment) (doubted []string) {
	for id, p := range m.people.byID {
		if p.Mark == (Mark{}) || p.seenAt+uint32(surelyListed.Seconds()) >= listedAt.seconds() {
			continue
		}
		m.people.unmark(p)
		m.doubted[id] = true
		doubted = append(doubted, id)
	}
	return doubted
}
