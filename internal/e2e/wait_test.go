//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

const (
	// pollInterval is how often something is checked, at first and at most. What takes long is checked less often: each check is a
	// request to the API server, and many tests wait at the same time.
	pollInterval, slowestPoll = 100 * time.Millisecond, 500 * time.Millisecond
	// takeover is how long a leader may hold back new users after another one, until Smile's listings show for certain
	// what that one created last.
	takeover = 4 * time.Minute
)

// within waits until something is done, and returns how long that took. check reports whether it is done, and the progress,
// which the failure quotes.
func within(t *testing.T, limit time.Duration, what string, check func() (done bool, state string)) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		done, state := check()
		took := time.Since(began)
		switch {
		case done:
			return took
		case t.Context().Err() != nil:
			t.Fatalf("interrupted after %s while waiting until %s: %s", took.Round(time.Second), what, state)
		case took > limit:
			t.Fatalf("waited %s until %s: %s", limit, what, state)
		}
		<-time.After(min(max(took/10, pollInterval), slowestPoll))
	}
}

// during checks for a while that nothing happens. check returns what happened, if anything.
func during(t *testing.T, span time.Duration, check func() (happened string)) {
	t.Helper()
	end := time.NewTimer(span)
	defer end.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if happened := check(); happened != "" {
			t.Fatal(happened)
		}
		select {
		case <-end.C:
			return
		case <-tick.C:
		}
	}
}

// random returns the source of the test's random choices, seeded by E2E_SEED if it is set.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("E2E_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("E2E_SEED: %v", err)
		}
	}
	t.Logf("E2E_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
