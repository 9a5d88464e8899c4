package mirror

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/smile-operator/smile-operator/internal/identity"
)

var george = identity.Marker{UID: "uid-george", Digest: "digest-george"}

func assertCalls(t *testing.T, r *remote, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, r.made()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// twoDaysBefore is two days before the day on which a bubble's clock starts.
const twoDaysBefore = "1999-12-30"

func TestOneListingServesAllCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.takes = time.Second
		r.set("users", marked("u1", "uid-george", "digest-george", 0))
		var waiters sync.WaitGroup
		for range 50 {
			waiters.Go(func() {
				found, err := m.Find(t.Context(), george, time.Time{})
				if err != nil || len(found.Own) != 1 {
					t.Errorf("%v, %v", found, err)
				}
			})
		}
		waiters.Wait()
		time.Sleep(24 * time.Hour)
		if _, err := m.Find(t.Context(), identity.Marker{UID: "x", Digest: "y"}, time.Time{}); err != nil {
			t.Error(err)
		}
		assertCalls(t, r, "users")
	})
}

func TestASettlingListingStartsLateAndIsReadTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.takes = 500 * time.Millisecond
		attempted := time.Now()
		settled := attempted.Add(100 * time.Millisecond)
		r.during = func(call int) {
			if call == 2 { // Smile's listing shows the user late
				r.set("users", marked("u1", "uid-george", "digest-george", 0))
			}
		}
		var early sync.WaitGroup
		early.Go(func() {
			if found, err := m.Find(t.Context(), george, time.Time{}); err != nil || len(found.Own) != 0 {
				t.Errorf("the early one: %v, %v", found, err)
			}
		})
		time.Sleep(200 * time.Millisecond) // the listing under way is too early
		for range 2 {                      // the second time from memory
			found, err := m.Settle(t.Context(), george, attempted, settled)
			if err != nil || len(found.Own) != 1 {
				t.Errorf("%v, %v", found, err)
			}
		}
		early.Wait()
		assertCalls(t, r, "users", "users "+twoDaysBefore, "users "+twoDaysBefore)
	})
}

// A listing that a process made before it became the leader is continued, but proves no absence.
func TestAnEarlierListingProvesNoAbsence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		find := func(after time.Time, want int, calls ...string) {
			t.Helper()
			before := len(r.made())
			found, err := m.Find(t.Context(), george, after)
			if diff := cmp.Diff(calls, r.made()[before:], cmpopts.EquateEmpty()); err != nil || len(found.Own) != want || diff != "" {
				t.Errorf("%d users, want %d; %v; calls: %s", len(found.Own), want, err, diff)
			}
		}
		find(time.Time{}, 0, "users")
		r.set("users", marked("u1", "uid-george", "digest-george", 0))
		if _, ok := m.RemoteTime(); ok {
			t.Error("Smile's time is known although no response has shown it")
		}
		r.date = noon
		time.Sleep(time.Hour)
		find(time.Time{}, 0)
		listed := time.Now()
		find(listed, 1, "users "+twoDaysBefore)
		time.Sleep(time.Minute)
		if now, ok := m.RemoteTime(); !ok || !now.Equal(noon.Add(time.Minute)) {
			t.Errorf("at Smile it is %v, known %v", now, ok)
		}
		find(listed, 1)
		time.Sleep(time.Hour)
		find(time.Now(), 1, "users "+twoDaysBefore)
	})
}

func TestWhichListingSuffices(t *testing.T) {
	t.Parallel()
	done, everything := &listing{request: settling(noon, time.Time{}), started: noon}, request{reads: 1}
	for name, c := range map[string]struct {
		listing *listing
		wanted  request
		want    bool
	}{
		"none":                   {nil, everything, false},
		"that of everything":     {&listing{request: request{reads: 1}, started: noon}, everything, true},
		"everything, read once":  {&listing{request: request{reads: 1}, started: noon}, settling(noon, noon), false},
		"everything, read twice": {&listing{request: settling(time.Time{}, noon), started: noon}, settling(noon, noon), true},
		"of some days":           {done, everything, false},
		"just in time":           {done, settling(noon, noon), true},
		"too early":              {done, settling(noon, noon.Add(1)), false},
		"from a later day":       {done, settling(noon.Add(-1), noon), false},
		"from an earlier day":    {done, settling(noon.Add(1), noon), true},
	} {
		if got := c.listing.satisfies(c.wanted); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A listing of some days does not show which users there are.
func TestFindIsNotAnsweredFromASettlingListing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		if _, err := m.Settle(t.Context(), george, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Find(t.Context(), george, time.Time{}); err != nil {
			t.Fatal(err)
		}
		assertCalls(t, r, "users "+twoDaysBefore, "users "+twoDaysBefore, "users")
	})
}

func TestAFailedListingIsRetriedByTheNextCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.fails = 1
		find := func() error {
			_, err := m.Find(t.Context(), george, time.Time{})
			return err
		}
		if err := find(); err == nil || errors.Is(err, errListing) {
			t.Errorf("the failing one: %v", err)
		}
		if err := find(); err != nil {
			t.Error(err)
		}
		assertCalls(t, r, "users", "users")
	})
}

func TestHalfASettlingListingSettlesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.during = func(call int) {
			if call == 1 {
				r.mu.Lock()
				r.fails = 2
				r.mu.Unlock()
			}
		}
		now := time.Now()
		if _, err := m.Settle(t.Context(), george, now, now); err == nil {
			t.Error("the second read failed without an error")
		}
		if _, err := m.Settle(t.Context(), george, now, now); err != nil {
			t.Error(err)
		}
		if got := len(r.made()); got != 4 {
			t.Errorf("%d calls, want one read that succeeds, one that fails, and two more", got)
		}
	})
}

func TestPatienceEndsBeforeALongListing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.takes = patience + time.Second
		began := time.Now()
		_, err := m.Find(t.Context(), george, time.Time{})
		if waited := time.Since(began); !errors.Is(err, errListing) || waited != patience {
			t.Errorf("after %v: %v", waited, err)
		}
		if _, err = m.Find(t.Context(), george, time.Time{}); err != nil {
			t.Errorf("it waits for the same listing again: %v", err)
		}
		assertCalls(t, r, "users")
	})
}

func TestAListingOutlivesItsCallerButNotTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		life, end := context.WithCancel(t.Context())
		m.listings.life = life
		r.takes = time.Second
		gone := errors.New("gone")
		caller, leave := context.WithCancelCause(t.Context())
		leave(gone)
		if _, err := m.Find(caller, george, time.Time{}); !errors.Is(err, gone) {
			t.Errorf("the caller gets %v", err)
		}
		if _, err := m.Find(t.Context(), george, time.Time{}); err != nil {
			t.Error(err)
		}
		assertCalls(t, r, "users")
		end()
		if _, err := m.Settle(t.Context(), george, time.Now(), time.Now()); err == nil {
			t.Error("a listing continued although its context had ended")
		}
	})
}
