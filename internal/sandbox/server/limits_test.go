package server

import (
	"testing"
	"time"
)

// TestRateWindow: a call beyond the limit within any second is refused,
// wherever the second begins.
func TestRateWindow(t *testing.T) {
	b := newBox(t, Options{RateLimit: 20})
	ok := func(want bool) {
		t.Helper()
		got := b.get("/v1/users")
		if (got.status == 200) != want || !want && (got.status != 429 || got.Code != "REQUEST_LIMIT_EXCEEDED") {
			t.Fatalf("%d %s", got.status, got.text)
		}
	}
	for range 10 { // at 0 s
		ok(true)
	}
	b.wall.advance(900 * time.Millisecond)
	for range 10 { // at 0.9 s
		ok(true)
	}
	ok(false)
	b.wall.advance(99 * time.Millisecond)
	ok(false)
	b.wall.advance(time.Millisecond) // at 1 s the first ten are over
	for range 10 {
		ok(true)
	}
	ok(false)
	b.get("/v1/users", from("192.0.2.9:1")).must(t, 200)
	b.get("/_sandbox/stats").must(t, 200)
	if err := b.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	ok(false) // the limit follows the wall clock
	b.wall.advance(time.Second)
	ok(true)
	if got := b.Stats().Requests["list-users"]; got[429] != 4 || got[200] != 32 {
		t.Errorf("counted %v", got)
	}
}

func TestRateLimitComesFirst(t *testing.T) {
	b := newBox(t, Options{RateLimit: 1, Quirks: map[string]string{"retry-after": "3s"}})
	b.get("/v1/nothing").must(t, 404)
	got := b.get("/v1/users", without("Authorization")).must(t, 429)
	if got.header.Get("Retry-After") != "3" {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
}

// TestSteadyPace: twenty calls a second evenly spaced are never refused.
func TestSteadyPace(t *testing.T) {
	b := newBox(t, Options{RateLimit: 20})
	for range 100 {
		b.get("/v1/users").must(t, 200)
		b.wall.advance(50 * time.Millisecond)
	}
	if got := b.Stats().PeakRPS; got != 20 {
		t.Errorf("peak %d", got)
	}
}

func TestPeakCountsRefusedCalls(t *testing.T) {
	b := newBox(t, Options{RateLimit: 2})
	for _, gap := range []int{0, 500, 400, 99, 1, 0} {
		b.wall.advance(time.Duration(gap) * time.Millisecond)
		b.get("/v1/users")
	}
	if got := b.Stats().PeakRPS; got != 5 {
		t.Errorf("peak %d, want the five calls from 0.5 s on", got)
	}
}
