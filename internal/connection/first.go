package connection

import (
	"context"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// firstPatience is how long a create waits on the spot for the first one.
	firstPatience = time.Second
	// firstRetry is when a create that has gone away is tried again in any case.
	firstRetry = 30 * time.Second
)

// first lets one create at a time go while the mode of a key pair is not known. Creates that would wait for longer than a second
// go away, and are woken when the one that is under way has ended. The zero first is free.
type first struct {
	mu sync.Mutex
	// ended is closed when the create that is under way has ended; nil when none is.
	ended chan struct{}
	away  map[*smile.Caller]bool
}

// enter waits for the turn of a create, and returns what ends it. The error is that of the context, or a PausedError.
func (f *first) enter(ctx context.Context, needless func() bool) (leave func(), err error) {
	patience := time.NewTimer(firstPatience)
	defer patience.Stop()
	for !needless() {
		ended := f.take()
		if ended == nil {
			return f.leave, nil
		}
		select {
		case <-ended:
			continue
		case <-ctx.Done():
			return nil, &smile.UnsentError{Cause: context.Cause(ctx)}
		case <-patience.C:
		}
		if err := f.turn(ctx); err != nil {
			return nil, err
		}
		patience.Reset(firstPatience)
	}
	return func() {}, nil
}

// take takes the turn if it is free, and otherwise returns what is closed when it is.
func (f *first) take() (ended chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended != nil {
		return f.ended
	}
	f.ended = make(chan struct{})
	return nil
}

// turn is an error while a create is under way, and the context's caller is woken when it has ended. It is nil when there is
// none, or nobody to be woken.
func (f *first) turn(ctx context.Context) error {
	caller := smile.CallerFrom(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended == nil || caller == nil {
		return nil
	}
	if f.away == nil {
		f.away = map[*smile.Caller]bool{}
	}
	f.away[caller] = true
	return &smile.UnsentError{Cause: &smile.PausedError{RetryAfter: firstRetry, Kept: true}}
}

func (f *first) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.ended)
	f.ended = nil
	for caller := range f.away {
		caller.Wake()
	}
	f.away = nil
}
