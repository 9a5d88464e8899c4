package creation

import (
	"context"
	"errors"
	"maps"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// unnamedFor is how long the log records that there was a call that it does not name. The call is sent within freshness, and has
// ended long before this time ends.
const unnamedFor = 2 * smile.ListingLag

// call is a call that creates a user, from before it is named in the log until its name is no longer needed.
type call struct {
	subject subject
	// named is when it was to be named in the log, shortly before it is sent.
	named time.Time
	// ends is when the name is dropped.
	ends time.Time
}

// names is what the log has to name for this process.
type names struct {
	calls map[*call]struct{}
	// unnamed is when the last call that did not fit into the log was about to be sent; zero if none may still be open.
	unnamed time.Time
}

func newNames() names { return names{calls: map[*call]struct{}{}} }

// bytesPerSecond is how much is written to the log on average: a long log is written less often, and more calls share each write.
const bytesPerSecond = 256 << 10

// writes merges concurrent requests to write the log.
type writes struct {
	// wanted counts the changes whose callers wait until they are written, and done those that are written.
	wanted, done int
	// running is closed when the current write ends; nil if there is none.
	running chan struct{}
	// next is when the next write may begin.
	next time.Time
}

// name writes a call that is about to be sent into the log, and returns when the write is acknowledged. If the log is full, it
// records instead that there are calls that the log does not name.
func (l *Log) name(ctx context.Context, of subject) (*call, error) {
	l.mu.Lock()
	now := l.config.Clock.Now()
	l.prune(now)
	c := &call{subject: of, named: now, ends: now.Add(ancient)}
	if len(l.named.calls)+len(l.kept(now)) < mostEntries {
		l.named.calls[c] = struct{}{}
	} else {
		l.named.unnamed = now
	}
	l.writes.wanted++
	wanted := l.writes.wanted
	l.mu.Unlock()
	if err := l.written(ctx, wanted); err != nil {
		l.drop(c)
		return nil, err
	}
	return c, nil
}

// written returns when a change is stored. It writes the log unless a write is under way. Each write stores all waiting changes.
func (l *Log) written(ctx context.Context, wanted int) error {
	for {
		l.mu.Lock()
		if l.isLost() {
			l.mu.Unlock()
			return ErrTakenOver
		}
		if l.writes.done >= wanted {
			l.mu.Unlock()
			return nil
		}
		running := l.writes.running
		if running == nil {
			running = make(chan struct{})
			l.writes.running = running
			l.mu.Unlock()
			return l.write(ctx, running)
		}
		l.mu.Unlock()
		select {
		case <-running:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// write stores all waiting changes.
func (l *Log) write(ctx context.Context, running chan struct{}) error {
	defer l.writeEnded(running) // also after a panic, which the engine recovers
	l.pause(ctx)
	l.mu.Lock()
	content, wanted, over := l.content(), l.writes.wanted, l.lease
	l.mu.Unlock()
	lease, err := l.store(ctx, over, content)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lease, l.writes.done = lease, wanted
	size := len(lease.Annotations[v1alpha1.AnnotationCreations])
	l.writes.next = time.Now().Add(time.Duration(size) * time.Second / bytesPerSecond)
	return nil
}

// writeEnded lets the next write begin.
func (l *Log) writeEnded(running chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes.running = nil
	close(running)
}

// pause waits until the next write may begin. Only write calls it.
func (l *Log) pause(ctx context.Context) {
	select {
	case <-time.After(time.Until(l.writes.next)):
	case <-ctx.Done(): // other calls may wait for the write all the same
	}
}

// store writes a content. A write that failed may have been stored. So the log is then read and overwritten, unless another
// process has taken it over. A log that was deleted is created again.
func (l *Log) store(ctx context.Context, over *coordinationv1.Lease, content record) (*coordinationv1.Lease, error) {
	lease, err := l.put(ctx, over, content)
	if err == nil {
		return lease, nil
	}
	found, readErr := l.read(context.WithoutCancel(ctx))
	switch {
	case readErr != nil:
		return nil, errors.Join(err, readErr)
	case found.lease != nil && found.term != content.term:
		l.lose()
		return nil, ErrTakenOver
	}
	return l.put(ctx, found.lease, content)
}

// content is what the log must contain now.
func (l *Log) content() record {
	now := l.config.Clock.Now()
	l.prune(now)
	r := record{term: l.term, sent: map[subject]time.Time{}, unnamed: l.named.unnamed}
	maps.Copy(r.sent, l.kept(now))
	if l.keeps(now) {
		r.unnamed = later(r.unnamed, l.inherited.everybody)
	}
	for c := range l.named.calls {
		r.sent[c.subject] = later(r.sent[c.subject], c.named)
	}
	return r
}

// keeps reports whether the log must still name the calls that this leader has inherited, because listings may not show their
// users yet.
func (l *Log) keeps(now time.Time) bool {
	return l.takenOver.IsZero() || now.Before(l.takenOver.Add(smile.ListingLag))
}

// kept are the inherited subjects that the log must still name.
func (l *Log) kept(now time.Time) map[subject]time.Time {
	if l.keeps(now) {
		return l.inherited.sent
	}
	return nil
}

// prune drops the names that are no longer needed.
func (l *Log) prune(now time.Time) {
	for c := range l.named.calls {
		if !now.Before(c.ends) {
			delete(l.named.calls, c)
		}
	}
	if now.Sub(l.named.unnamed) > unnamedFor {
		l.named.unnamed = time.Time{}
	}
}

// permits is checked when a call is about to be sent. It refuses a call that was named too long ago.
func (l *Log) permits(c *call) error {
	if l.isLost() {
		return ErrTakenOver
	}
	if l.config.Clock.Since(c.named) > freshness {
		return errNotNamed
	}
	return nil
}

// drop drops the name of a call that has certainly created no user, or whose outcome a listing has shown.
func (l *Log) drop(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.named.calls, c)
}

// created keeps the name of a call as long as listings may not show the user that it has created.
func (l *Log) created(c *call) { l.ending(c, smile.ListingLag) }

// unknown keeps the name of a call whose outcome is unknown until it is settled, but no longer than until any listing shows the
// outcome.
func (l *Log) unknown(c *call) { l.ending(c, ancient) }

func (l *Log) ending(c *call, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.ends = l.config.Clock.Now().Add(after)
}
