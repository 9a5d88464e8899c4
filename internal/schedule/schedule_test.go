package schedule

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestGridIsDueOncePerInterval(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "id")
		interval := time.Duration(rapid.Int64Range(int64(time.Second), int64(48*time.Hour)).Draw(t, "interval"))
		now := noon.Add(time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "now")))
		due := Grid(id, interval, now)
		if due.Last.After(now) || !now.Before(due.Next) || due.Next.Sub(due.Last) != interval {
			t.Fatalf("%v at %v every %v", due, now, interval)
		}
		for _, moment := range []time.Time{due.Last, due.Next.Add(-1), now.In(time.FixedZone("PHT", 8*3600))} {
			if again := Grid(id, interval, moment); !again.Last.Equal(due.Last) || !again.Next.Equal(due.Next) {
				t.Fatalf("%v at %v, but %v at %v", due, now, again, moment)
			}
		}
		if following := Grid(id, interval, due.Next); !following.Last.Equal(due.Next) {
			t.Fatalf("%v is followed by %v", due, following)
		}
	})
}

// All processes compute the same times, so these never change.
func TestGridIsTheSameInEveryProcess(t *testing.T) {
	t.Parallel()
	// FNV-1a of "a" is 0xaf63dc4c8601ec8c nanoseconds; the grid counts from the year 1.
	offset := time.Duration(uint64(0xaf63dc4c8601ec8c) % uint64(time.Hour))
	want := Due{Last: noon.Add(offset - time.Hour), Next: noon.Add(offset)}
	if diff := cmp.Diff(want, Grid("a", time.Hour, noon)); diff != "" {
		t.Error(diff)
	}
	if started := time.Now(); !Grid("a", time.Hour, started).Last.Equal(Grid("a", time.Hour, started.Round(0)).Last) {
		t.Error("a time with a monotonic clock reading gives other times")
	}
}

func TestGridSpreadsIDs(t *testing.T) {
	t.Parallel()
	const ids, minutes = 6000, 60
	due := map[int]int{}
	for i := range ids {
		due[int(Grid(fmt.Sprintf("tenant-%06d", i), time.Hour, noon).Next.Sub(noon)/time.Minute)]++
	}
	for minute := range minutes {
		if n := due[minute]; n < ids/minutes/2 || n > ids/minutes*2 {
			t.Errorf("%d of %d are due in minute %d", n, ids, minute)
		}
	}
}

func TestAfterActivity(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	never := time.Time{}
	for _, c := range []struct {
		now  time.Time
		want Due
	}{
		{at(-3600), Due{never, at(5)}},
		{at(0), Due{never, at(5)}},
		{at(4), Due{never, at(5)}},
		{at(5), Due{at(5), at(10)}},
		{at(9), Due{at(5), at(10)}},
		{at(10), Due{at(10), at(20)}},
		{at(39), Due{at(20), at(40)}},
		{at(319), Due{at(160), at(320)}},
		{at(320), Due{at(320), never}},
		{at(86400), Due{at(320), never}},
	} {
		if diff := cmp.Diff(c.want, AfterActivity(noon, c.now)); diff != "" {
			t.Errorf("%v after it:\n%s", c.now.Sub(noon), diff)
		}
	}
	if end := at(320); end.Sub(noon) > lastRepeat || end.Sub(noon)*2 <= lastRepeat {
		t.Errorf("the last is %v after it", end.Sub(noon))
	}
}

func TestDueOr(t *testing.T) {
	t.Parallel()
	early, late, never := noon, noon.Add(time.Hour), time.Time{}
	for _, c := range []struct{ a, b, want Due }{
		{Due{early, late}, Due{}, Due{early, late}},
		{Due{never, early}, Due{early, late}, Due{early, early}},
		{Due{late, late}, Due{early, early}, Due{late, early}},
		{Due{early, never}, Due{late, late}, Due{late, late}},
		{Due{early, never}, Due{late, never}, Due{late, never}},
		{Due{}, Due{}, Due{}},
	} {
		for range 2 {
			if diff := cmp.Diff(c.want, c.a.Or(c.b)); diff != "" {
				t.Errorf("%v or %v:\n%s", c.a, c.b, diff)
			}
			c.a, c.b = c.b, c.a
		}
	}
}
