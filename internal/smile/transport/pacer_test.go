package transport

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// departures sends calls as soon as a pacer permits. Each gets its slot late by up to a time, and is sent late by up to that time
// again, as on a busy machine.
func departures(seed uint64, limit float64, calls int, late time.Duration) []time.Time {
	random := rand.New(rand.NewPCG(seed, 1))
	delay := func() time.Duration { return time.Duration(random.Int64N(int64(late) + 1)) }
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var p pacer
	moments := make([]time.Time, calls)
	for i := range moments {
		due := later(p.due(), now)
		now = due.Add(delay())
		if random.IntN(100) == 0 {
			now = now.Add(time.Duration(random.IntN(2_000)) * time.Millisecond) // a stall, or nothing to do
		}
		going := new(departure)
		p.take(going, due, now, limit, limit)
		moments[i] = now.Add(delay())
		going.at = moments[i]
	}
	return moments
}

// delayed returns when calls arrive whose transport takes up to a delay.
func delayed(seed uint64, departures []time.Time, delay time.Duration) []time.Time {
	random := rand.New(rand.NewPCG(seed, 2))
	arrivals := slices.Clone(departures)
	for i := range arrivals {
		arrivals[i] = arrivals[i].Add(time.Duration(random.Int64N(int64(delay) + 1)))
	}
	return arrivals
}

// TestEveryWindowHoldsWhatTheLimitPermits delays each call by up to 30 ms on the way to the server.
func TestEveryWindowHoldsWhatTheLimitPermits(t *testing.T) {
	for _, limit := range []float64{1, 2, 5, 15, 20, 50} {
		for seed := range uint64(200) {
			arrivals := delayed(seed, departures(seed, limit, 400, time.Duration(seed%20)*time.Millisecond), 30*time.Millisecond)
			if got := largestWindow(arrivals); got > int(limit) {
				t.Fatalf("%d calls arrived in one second, the limit is %v (seed %d)", got, limit, seed)
			}
		}
	}
}

// TestTheWorstDelaysExceedNoWindow delays one call by 30 ms and all later ones by nothing.
func TestTheWorstDelaysExceedNoWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := float64(rapid.IntRange(1, 60).Draw(t, "limit"))
		arrivals := departures(rapid.Uint64().Draw(t, "seed"), limit, 200, 20*time.Millisecond)
		slow := rapid.IntRange(0, len(arrivals)-1).Draw(t, "slow")
		arrivals[slow] = arrivals[slow].Add(30 * time.Millisecond)
		if got := largestWindow(arrivals); got > int(limit) {
			t.Fatalf("%d calls arrived in one second, the limit is %v", got, limit)
		}
	})
}

// TestThePaceComesCloseToTheLimit sends each call late by up to a millisecond.
func TestThePaceComesCloseToTheLimit(t *testing.T) {
	for _, limit := range []float64{5, 15, 20, 50} {
		random, now := rand.New(rand.NewPCG(1, 1)), time.Unix(0, 0)
		start, calls := now, int(limit*60)
		var p pacer
		for range calls {
			due := later(p.due(), start)
			now = due.Add(time.Duration(random.Int64N(int64(time.Millisecond))))
			p.take(new(departure), due, now, limit, limit)
		}
		if got := float64(calls-1) / now.Sub(start).Seconds() / limit; got < 0.97 {
			t.Errorf("%.4f of the limit of %v", got, limit)
		}
	}
}
