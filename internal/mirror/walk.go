package mirror

import (
	"context"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// patience is how long a reconciler waits for a listing before it lets others work.
const patience = 2 * time.Second

var errListing = (&engine.Problem{
	Class: engine.Throttled, Reason: v1alpha1.ReasonThrottled,
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
}

var everything = want{passes: 1}

func clearing(since, notBefore time.Time) want {
	return want{since: since, notBefore: notBefore, passes: 2}
}

// walk is a listing of users, under way or completed.
type walk struct {
	want
	started time.Time
	done    chan struct{}
	err     error
}

// satisfies tells whether this listing will do.
func (w *walk) satisfies(wanted want) bool {
	return w != nil && w.passes >= wanted.passes && !w.started.Before(wanted.notBefore) && !w.since.After(wanted.since)
}

type walks struct{ last, running *walk }

// walk makes sure that a listing that will do has been completed. However many wait, there is one at a time, and
// one serves all that it satisfies.
func (m *Mirror) walk(ctx context.Context, client *smile.Client, wanted want) error {
	for range 2 {
		w := m.join(client, wanted)
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
		if w.err != nil {
			return w.err
		}
		if w.satisfies(wanted) {
			return nil
		}
	}
	return errListing
}

// join gives the listing to wait for, a new one if need be; nil when one that will do is complete.
func (m *Mirror) join(client *smile.Client, wanted want) *walk {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.walks.running != nil {
		return m.walks.running
	}
	if m.walks.last.satisfies(wanted) {
		return nil
	}
	w := &walk{want: wanted, started: m.set.clock.Now(), done: make(chan struct{})}
	m.walks.running = w
	go m.run(client, w)
	return w
}

func (m *Mirror) run(client *smile.Client, w *walk) {
	for range w.passes {
		if w.err == nil {
			w.err = m.pass(client, w.since)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.walks.running = nil
	if w.err == nil {
		m.walks.last = w
		m.listed = m.listed || w.since.IsZero()
	}
	close(w.done)
}

func (m *Mirror) pass(client *smile.Client, since time.Time) error {
	for remote, err := range client.Users(m.set.life, smile.UserFilter{StartDate: since}) {
		if err != nil {
			return err
		}
		m.Add(remote)
	}
	return nil
}
