package connection

import (
	"context"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// firstPatience is how long a create waits for the first one before it goes away.
	firstPatience = time.Second
	// firstRetry is after how long a create that has gone away is retried in any case.
	firstRetry = 30 * time.Second
)

// first permits one create at a time while the mode of a key pair is not known. Creates that would wait for longer than a second
// go away, and are woken when the current one has ended. The zero first is free.
type first struct {
	mu sync.Mutex
	// ended is closed when the create that is under way has ended; nil when none is.
	ended chan struct{}
	away  map[*smile.Caller]bool
}

// enter waits for the turn of a create, and returns the function that ends it. The error is that of the context, or a
// PausedError.
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

// take takes the turn if it is free, and otherwise returns a channel that is closed when it is.
func (f *first) take() (ended chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended != nil {
		return f.ended
	}
	f.ended = make(chan struct{})
	return nil
}

// turn returns an error while a create is under way, and wakes the context's caller when that has ended. It returns nil if no
// create is under way, or if there is no caller to wake.
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
