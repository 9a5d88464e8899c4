package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoffDoublesFromASecondToTheLongest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter, object := Backoff(10*time.Second), objectNamed("a")
		for times, seconds := range []int{1, 2, 4, 8, 10, 10} {
			want := time.Duration(seconds) * time.Second
			if got := limiter.When(object); got != want || limiter.NumRequeues(object) != times+1 {
				t.Errorf("got %v after %d failures, want %v", got, limiter.NumRequeues(object), want)
			}
			time.Sleep(want)
		}
		if got := limiter.When(objectNamed("b")); got != time.Second {
			t.Errorf("another object waits %v", got)
		}
		limiter.Forget(object)
		if got := limiter.When(object); got != time.Second || limiter.NumRequeues(object) != 1 {
			t.Errorf("after a success, it waits %v", got)
		}
	})
}

// An object is queued every second for something else, and fails each time. Its next retry is not put off for that.
func TestFailuresInBetweenDoNotLengthenTheBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter, object := Backoff(time.Hour), objectNamed("a")
		const outage = 40 * time.Second
		for began := time.Now(); time.Since(began) < outage; time.Sleep(time.Second) {
			if got := limiter.When(object); got > outage {
				t.Fatalf("after failing for %v, it waits %v", time.Since(began), got)
			}
		}
	})
}
