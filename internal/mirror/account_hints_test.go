package mirror

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/schedule"
)

// receive stores an event as a receiver does whose clock shows this time after noon, and reports whether it wrote anything.
func (h *hinted) receive(clock time.Duration, urgent bool, news ...hook.News) (stored bool) {
	status := &h.user.Status
	var before time.Time
	if status.HintedAt != nil {
		before = status.HintedAt.Time
	}
	at, needed := hook.Hint(before, noon.Add(clock), urgent)
	if !needed && hook.Covered(*status, news) {
		return false
	}
	status.Hints = hook.Merge(*status, news, at, noon.Add(clock))
	status.HintedAt = &metav1.MicroTime{Time: at}
	return true
}

func (h *hinted) at(now time.Duration) Hinted {
	h.clock.SetTime(noon.Add(now))
	return h.Hint(&h.user, interval)
}

func dataOf(id string) hook.News { return hook.News{AccountID: id, About: v1alpha1.HintData} }

func TestAHintAboutAnAccountRequestsNothingElse(t *testing.T) {
	t.Parallel()
	h := newHinted(t)
	h.receive(time.Minute, true, dataOf("a"))
	got := h.at(61 * time.Second)
	if got.Due != (schedule.Due{}) || len(got.Accounts) != 1 || got.Accounts[0].ID != "a" || !got.Accounts[0].Since.Equal(noon.Add(61*time.Second)) {
		t.Errorf("%+v", got)
	}
	if again := h.at(70 * time.Second); !again.Accounts[0].Since.Equal(got.Accounts[0].Since) {
		t.Errorf("an equal hint becomes a different one: %+v", again)
	}
	h.receive(80*time.Second, true, dataOf("b"))
	if got = h.at(80 * time.Second); len(got.Accounts) != 2 || !got.Accounts[0].Since.Equal(noon.Add(61*time.Second)) || !got.Accounts[1].Since.Equal(noon.Add(80*time.Second)) {
		t.Errorf("%+v", got)
	}
}

// A receiver of an older version stores hintedAt and leaves hints as they are; an older leader does not see them.
func TestAHintOfAnOlderReceiverIsAboutEverything(t *testing.T) {
	t.Parallel()
	h := newHinted(t)
	h.receive(time.Minute, true, dataOf("a"))
	h.at(time.Minute)
	h.user.Status.HintedAt = &metav1.MicroTime{Time: noon.Add(2 * time.Minute)}
	if got := h.at(2 * time.Minute); !got.Last.Equal(noon.Add(2 * time.Minute)) {
		t.Errorf("%+v", got)
	}
	h.receive(121*time.Second, true, dataOf("b"))
	late := newHinted(t)
	late.user.Status = h.user.Status
	if got := late.at(122 * time.Second); got.Last.IsZero() {
		t.Errorf("the hint of a newer receiver hides it: %+v", got)
	}
}

func TestOldHintsAreIgnoredAfterAStart(t *testing.T) {
	t.Parallel()
	h := newHinted(t)
	h.receive(-20*time.Minute, true, dataOf("old"))
	h.receive(-10*time.Minute, true, dataOf("recent"))
	got := h.at(time.Second)
	if len(got.Accounts) != 1 || got.Accounts[0].ID != "recent" || !got.Accounts[0].Inherited || !got.Last.IsZero() {
		t.Errorf("%+v", got)
	}
	h.receive(2*time.Second, true, dataOf("new"))
	if got = h.at(2 * time.Second); got.Accounts[len(got.Accounts)-1].Inherited {
		t.Errorf("%+v", got)
	}
}

// Events about accounts reach receivers whose clocks are wrong by any amount, and differ by at most hook.Slack. Each is followed
// by a read of its account that begins after it, at most two pauses later.
func TestEveryEventLeadsToAReadOfItsAccount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h := newHinted(t)
		most := interval.Microseconds()
		skew := time.Duration(rapid.Int64Range(-most, most).Draw(rt, "skew")) * time.Microsecond
		apart := rapid.Int64Range(0, hook.Slack.Microseconds())
		gap := rapid.OneOf(rapid.Int64Range(1, (hook.Pause/10).Microseconds()), rapid.Int64Range(1, (3*hook.Pause).Microseconds()))
		accounts := rapid.SampledFrom([]int{1, 3, 40}).Draw(rt, "accounts")
		waiting := map[string]time.Duration{} // the first event about an account that waits for a read; "" for all
		read := map[string]time.Time{}        // which hint was heeded last
		now, next := time.Duration(0), time.Duration(0)
		reconcile := func() {
			hinted := h.at(now)
			if !hinted.Last.IsZero() && hinted.Last.After(read[""]) {
				read[""] = hinted.Last
				clear(waiting)
			}
			for _, account := range hinted.Accounts {
				if account.Since.After(read[account.ID]) {
					read[account.ID] = account.Since
					delete(waiting, account.ID)
				}
			}
			next = 0
			if !hinted.Next.IsZero() {
				next = hinted.Next.Sub(noon)
			}
		}
		until := func(end time.Duration) {
			for next != 0 && next < end { // of a read and an event at the same time, the event is first
				now = next
				reconcile()
			}
			now = end
			for id, since := range waiting {
				if now-since > 2*hook.Pause {
					rt.Fatalf("an event about %q of %v waits at %v", id, since, now)
				}
			}
		}
		for range rapid.IntRange(1, 30).Draw(rt, "events") {
			until(now + time.Duration(gap.Draw(rt, "wait"))*time.Microsecond)
			news := hook.News{}
			if which := rapid.IntRange(-1, accounts-1).Draw(rt, "account"); which >= 0 {
				news = dataOf(fmt.Sprintf("a-%d", which))
			}
			if _, waits := waiting[news.AccountID]; !waits {
				waiting[news.AccountID] = now
			}
			clock := now + skew + time.Duration(apart.Draw(rt, "apart"))*time.Microsecond
			if h.receive(clock, rapid.Bool().Draw(rt, "urgent"), news) {
				reconcile()
			}
			if kept := h.user.Status.Hints; kept != nil && len(kept.Accounts) > hook.MostHints {
				rt.Fatalf("%d hints", len(kept.Accounts))
			}
		}
		until(now + 3*hook.Pause)
		if len(waiting) > 0 || next != 0 {
			rt.Fatalf("%v wait, the next read is at %v", waiting, next)
		}
	})
}
