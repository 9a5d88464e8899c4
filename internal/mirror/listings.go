package mirror

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// patience is how long a reconcile waits for a listing before it frees its worker.
const patience = 2 * time.Second

var errListing = (&problem.Problem{
	Class: problem.Throttled, Reason: v1alpha1.ReasonThrottled,
	Message: "waiting for a listing of the users at Smile",
}).After(patience)

// errOverLimit ends a listing that has more pages than its limit.
var errOverLimit = errors.New("the listing has more pages than its limit")

// request says which listing of users suffices.
type request struct {
	// since is the day from which users are listed; zero for all.
	since time.Time
	// notBefore is when the listing must have started at the earliest; zero for any time.
	notBefore time.Time
	// reads is how often it is read from the first to the last page.
	reads int
	// limit is how many pages it may have; 0 for any number.
	limit int
}

// settling is the listing that settles the outcome of a creation.
func settling(since, notBefore time.Time) request {
	return request{since: since, notBefore: notBefore, reads: 2}
}

// listing is a listing of users that is running or has ended.
type listing struct {
	request
	client  *smile.Client
	started time.Time
	// startedAt is the same as a moment.
	startedAt moment
	// done is closed when the listing has ended, with err.
	done chan struct{}
	err  error
}

// satisfies reports whether this listing suffices.
func (l *listing) satisfies(wanted request) bool {
	return l != nil && l.reads >= wanted.reads && !l.started.Before(wanted.notBefore) && !l.since.After(wanted.since)
}

// overlap is how far a listing of the newest users reaches back before the listing of all users that it continues.
const overlap = 2 * day

// history is what the listings so far have shown.
type history struct {
	// last is the listing that was completed last.
	last *listing
	// all is when the last listing of all users began. current is when the last listing began that shows all users together with
	// those before it; zero if there was none.
	all, current time.Time
}

// missing returns the listing after which all users created before a time are known; listed is true if there was one.
func (h history) missing(after time.Time) (missing request, listed bool) {
	missing = request{notBefore: after, reads: 1}
	if h.all.IsZero() {
		return missing, false
	}
	missing.since = h.all.UTC().Truncate(day).Add(-overlap)
	return missing, !h.current.Before(after)
}

// completed records a listing that has succeeded.
func (h *history) completed(l *listing) {
	h.last = l
	continues := !h.all.IsZero() && !l.since.After(h.all.UTC().Truncate(day).Add(-overlap))
	if l.since.IsZero() {
		h.all = l.started
	}
	if l.since.IsZero() || continues {
		h.current = l.started
	}
}

// listings are the listings of the users of an API account. There is one at a time, for all callers that it satisfies.
type listings struct {
	timeline
	life   context.Context
	memory *Memory

	mu      sync.Mutex
	running *listing
	history history
	// date is the earliest Date of a response of the last listing, by Smile's clock; datedAt is when that was read.
	date, datedAt time.Time
}

func (l *listings) missing(after time.Time) (missing request, listed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.history.missing(after)
}

func (l *listings) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running == nil
}

func (l *listings) remoteTime() (now time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.date.Add(l.clock.Since(l.datedAt)), !l.date.IsZero()
}

// ensure waits until a listing that suffices has been completed, but not for long. It starts one if none is running.
func (l *listings) ensure(ctx context.Context, client *smile.Client, wanted request) error {
	for range 2 {
		running := l.join(client, wanted)
		if running == nil {
			return nil
		}
		select {
		case <-running.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(patience):
			return errListing
		}
		switch {
		case errors.Is(running.err, errOverLimit) && wanted.limit == 0:
			continue // the limit was another caller's
		case running.err != nil:
			return running.err
		case running.satisfies(wanted):
			return nil
		}
	}
	return errListing
}

// ensureLong does the same, however long it takes.
func (l *listings) ensureLong(ctx context.Context, client *smile.Client, wanted request) error {
	for {
		if err := l.ensure(ctx, client, wanted); !errors.Is(err, errListing) {
			return err
		}
	}
}

// join returns the listing to wait for, a new one if none is running; nil if one that suffices is complete.
func (l *listings) join(client *smile.Client, wanted request) *listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running != nil {
		return l.running
	}
	if l.history.last.satisfies(wanted) {
		return nil
	}
	l.running = &listing{
		request: wanted, client: client, started: l.clock.Now(), startedAt: l.now(), done: make(chan struct{}),
	}
	go l.run(l.running)
	return l.running
}

func (l *listings) run(listing *listing) {
	for range listing.reads {
		if listing.err == nil {
			listing.err = recovered(l.life, func() error { return l.read(listing) })
		}
	}
	var changed []string
	if listing.err == nil {
		changed = l.memory.listed(listing.startedAt, listing.since.IsZero())
	}
	l.end(listing)
	close(listing.done)
	l.memory.notify(changed)
}

// read reads a listing once.
func (l *listings) read(listing *listing) error {
	users, dates := 0, new(smile.Dates)
	ctx := smile.WithDates(connection.WithAll(l.life), dates)
	if listing.limit == 0 {
		ctx = smile.WithLane(ctx, smile.LaneCreate) // a creation waits for it
	}
	for remote, err := range listing.client.Users(ctx, smile.UserFilter{StartDate: listing.since}) {
		if err != nil {
			return err
		}
		users++
		if listing.limit > 0 && pages(users) > listing.limit {
			return errOverLimit
		}
		l.memory.add(remote, listing.startedAt)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.date, l.datedAt = dates.Earliest(), l.clock.Now()
	return nil
}

func (l *listings) end(listing *listing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = nil
	if listing.err == nil {
		l.history.completed(listing)
	}
}
