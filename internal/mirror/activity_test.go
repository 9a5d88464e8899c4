package mirror

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smile-operator/smile-operator/internal/schedule"
)

// afterPoll lets time pass until right after a poll on the grid.
func (w *fixture) afterPoll(t *testing.T) {
	t.Helper()
	grid := schedule.Grid(w.poller.account, 15*time.Minute, time.Now())
	w.live(t, time.Until(grid.Next)+2*tick)
	w.calls()
}

// After a link token was minted, the user is refreshed 5, 10, 20 ... s later, up to 10 minutes.
func TestAUserIsRefreshedAfterALinkToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 3)
		w.afterPoll(t)
		w.TokenMinted("u1")
		w.live(t, 5*time.Second-time.Millisecond)
		w.expect(t, "before 5 s", map[string]int{})
		w.remote.set("accounts", w.accounts(2)...)
		for _, wait := range []time.Duration{time.Millisecond, 5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second} {
			w.live(t, wait)
			w.expect(t, fmt.Sprint("after another ", wait), map[string]int{"accounts": 1})
		}
		w.live(t, 9*time.Minute)
		w.expect(t, "within 10 minutes", map[string]int{"accounts": 2})
		w.TokenMinted("u1")
		w.live(t, 5*time.Second)
		w.expect(t, "after another token", map[string]int{"accounts": 1})
	})
}

// However many users get tokens, there is at most one poll in five seconds because of that, which reads them together.
func TestUsersWithNewTokensAreRefreshedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 20)
		for i := range 20 {
			w.remote.set(fmt.Sprint("users/u", i), marked(fmt.Sprint("u", i), "uid-george", "d", 0))
		}
		w.afterPoll(t)
		for i := range 20 {
			w.TokenMinted(fmt.Sprint("u", i))
			w.live(t, time.Second)
		}
		calls := w.calls()["accounts"]
		if calls == 0 || calls > 4 {
			t.Errorf("%d calls within 20 s", calls)
		}
	})
}

func TestActivitiesAreForgotten(t *testing.T) {
	t.Parallel()
	var a activities
	now := time.Now()
	a.note("u1", now)
	a.note("u2", now.Add(time.Second))
	if next, ok := a.next(); !ok || !next.Equal(now.Add(5*time.Second)) {
		t.Errorf("%v, %v", next, ok)
	}
	for i := range 700 {
		a.due(now.Add(time.Duration(i) * time.Second))
	}
	if _, ok := a.next(); ok || len(a.byUser) > 0 {
		t.Errorf("%v are still held", a.byUser)
	}
}
