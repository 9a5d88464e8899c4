package connection

import (
	"errors"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"
)

func newBreaker() (*breaker, *clocktesting.FakeClock) {
	now := clocktesting.NewFakeClock(time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC))
	return &breaker{clock: now}, now
}

func TestTheBreaker(t *testing.T) {
	t.Parallel()
	const forbidden, refused = true, false
	refusedTwice := func(b *breaker) {
		b.startProbe(refused)
		b.probed(true, false)
	}
	for name, test := range map[string]struct {
		history func(*breaker, *clocktesting.FakeClock)
		want    error
		due     bool
	}{
		"nothing happened": {func(*breaker, *clocktesting.FakeClock) {}, nil, true},
		"a refusal is being checked": {
			func(b *breaker, _ *clocktesting.FakeClock) { b.startProbe(refused) }, errChecking, true,
		},
		"the check was refused": {func(b *breaker, _ *clocktesting.FakeClock) { refusedTwice(b) }, errDenied, false},
		"the check passed": {
			func(b *breaker, _ *clocktesting.FakeClock) { b.startProbe(refused); b.probed(false, true) }, nil, true,
		},
		"the check told nothing": {
			func(b *breaker, _ *clocktesting.FakeClock) { b.startProbe(refused); b.probed(false, false) }, nil, true,
		},
		"almost time to try again": {
			func(b *breaker, c *clocktesting.FakeClock) { refusedTwice(b); c.Step(probeInterval - 1) }, errDenied, false,
		},
		"time to try again": {
			func(b *breaker, c *clocktesting.FakeClock) { refusedTwice(b); c.Step(probeInterval) }, errDenied, true,
		},
		"refused again": {
			func(b *breaker, c *clocktesting.FakeClock) {
				refusedTwice(b)
				c.Step(probeInterval)
				b.probed(true, false)
			}, errDenied, false,
		},
		"no answer to the second try": {
			func(b *breaker, c *clocktesting.FakeClock) {
				refusedTwice(b)
				c.Step(probeInterval)
				b.probed(false, false)
			}, errDenied, true,
		},
		"accepted in the end": {
			func(b *breaker, c *clocktesting.FakeClock) {
				refusedTwice(b)
				c.Step(probeInterval)
				b.probed(false, true)
			}, nil, true,
		},
		"of the other mode": {func(b *breaker, _ *clocktesting.FakeClock) { b.setWrongMode() }, errWrongMode, true},
		"of the other mode, whatever follows": {
			func(b *breaker, _ *clocktesting.FakeClock) { b.setWrongMode(); b.probed(false, true) }, errWrongMode, true,
		},
		"forbidden, soon after it passed": {
			func(b *breaker, c *clocktesting.FakeClock) {
				b.probed(false, true)
				c.Step(probeTrust - 1)
				b.startProbe(forbidden)
			}, nil, true,
		},
		"forbidden, long after it passed": {
			func(b *breaker, c *clocktesting.FakeClock) {
				b.probed(false, true)
				c.Step(probeTrust)
				b.startProbe(forbidden)
			}, errChecking, true,
		},
		"refused, soon after it passed": {
			func(b *breaker, _ *clocktesting.FakeClock) { b.probed(false, true); b.startProbe(refused) }, errChecking, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, now := newBreaker()
			test.history(b, now)
			if err := b.refusal(); !errors.Is(err, test.want) {
				t.Errorf("a call gets %v, want %v", err, test.want)
			}
			if due := b.probeDue(); due != test.due {
				t.Errorf("a probe is due: %v", due)
			}
		})
	}
}

// At most two calls are made with a refused pair, and then one every 15 min, whatever is called and whenever.
func TestARefusedPairIsHardlyUsed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, now := newBreaker()
		var calls []time.Time
		call := func() { calls = append(calls, now.Now()) }
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now.Step(rapid.Custom(step).Draw(t, "passes"))
			if rapid.Bool().Draw(t, "an object calls") {
				if b.refusal() == nil {
					call()
					if b.startProbe(rapid.Bool().Draw(t, "403")) {
						call()
						b.probed(true, false)
					}
				}
				continue
			}
			if b.denied() && b.probeDue() { // the connection's own pass
				call()
				b.probed(true, false)
			}
		}
		for i, at := range calls {
			if i >= 2 && at.Sub(calls[i-1]) < probeInterval {
				t.Fatalf("call %d came %v after the one before", i+1, at.Sub(calls[i-1]))
			}
		}
	})
}

func step(t *rapid.T) time.Duration {
	return time.Duration(rapid.SampledFrom([]int{0, 1, 5, 60, 899, 900, 901}).Draw(t, "seconds")) * time.Second
}
