package connection

import (
	"context"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// firstPatience is how long a create waits for the first one before its reconcile ends.
	firstPatience = time.Second
	// firstRetry is after how long such a reconcile runs again if nothing wakes it.
	firstRetry = 30 * time.Second
)

// firstCreate permits one create at a time while the mode of a key pair is not known. The reconciles of creates that would wait
// for longer than a second end, and are woken when the current create has ended. The zero firstCreate is free.
type firstCreate struct {
	mu sync.Mutex
	// ended is closed when the create that is under way has ended; nil when none is.
	ended chan struct{}
	// away are the callers to wake then.
	away map[*smile.Caller]bool
}

// enter waits until no other create is under way, or needless returns true. It returns the function that ends the create. The
// error is that of the context, or a PausedError.
func (f *firstCreate) enter(ctx context.Context, needless func() bool) (leave func(), err error) {
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

// take begins a create if none is under way. Otherwise it returns a channel that is closed when that one has ended.
func (f *firstCreate) take() (ended chan struct{}) {
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
func (f *firstCreate) turn(ctx context.Context) error {
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

func (f *firstCreate) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.ended)
	f.ended = nil
	for caller := range f.away {
		caller.Wake()
	}
	f.away = nil
}
