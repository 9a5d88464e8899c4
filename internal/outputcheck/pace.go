package outputcheck

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// refused is how long to wait at least if the API server does not respond, or is overloaded.
const refused = time.Second

// cycle is how long it takes to read all outputs once. It is less than the interval, because what is found must be repaired or
// shown within the interval, and a read may be late.
func cycle(interval time.Duration) time.Duration { return interval * 9 / 10 }

// pause is how long to wait after a read that took so long: until the next is due, or as long as it took, so that a slow
// API server is never kept busy by more than half of the time.
func pause(pace, took time.Duration, err error) time.Duration {
	wait := max(pace-took, took)
	if err == nil {
		return wait
	}
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		wait = max(wait, time.Duration(seconds)*time.Second)
	}
	return max(wait, refused)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sleep reports whether the time passed, and ctx did not end before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
