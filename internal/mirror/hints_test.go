package mirror

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/schedule"
)

// hinted is the set of a process that started at noon, and a SmileUser in whose status hints are stored.
type hinted struct {
	*Set
	clock *clocktesting.FakeClock
	user  v1alpha1.SmileUser
}

func newHinted(t *testing.T) *hinted {
	t.Helper()
	clock := clocktesting.NewFakeClock(noon)
	return &hinted{Set: NewSet(t.Context(), Config{Clock: clock}), clock: clock}
}

// see returns what is due at a time after noon because of a hint that is stored with another time.
func (h *hinted) see(at, stored time.Duration) schedule.Due {
	h.clock.SetTime(noon.Add(at))
	h.user.Status.HintedAt = &metav1.MicroTime{Time: noon.Add(stored)}
	return h.Hint(&h.user, interval).Due
}

const interval = 15 * time.Minute

func TestHintsAreDueByTheClockOfThisProcess(t *testing.T) {
	t.Parallel()
	type seen struct{ at, stored, last, next int }
	const no = -1 // no time
	for name, steps := range map[string][]seen{
		"clocks agree":               {{60, 60, 60, no}},
		"the receiver's is behind":   {{60, 59, 60, no}, {61, 59, 60, no}},
		"far behind, after another":  {{60, 60, 60, no}, {70, -7200, 70, no}},
		"it is ahead":                {{60, 660, no, 66}, {65, 660, no, 66}, {66, 660, 66, no}, {700, 660, 66, no}},
		"ahead by less than a pause": {{60, 62, no, 62}, {62, 62, 62, no}},
		"before this process began":  {{60, -60, 60, no}, {61, -60, 60, no}},
		"long before it":             {{60, -1200, no, no}, {90, -1200, no, no}, {95, 95, 95, no}},
		"a burst":                    {{60, 60, 60, no}, {61, 65, 60, 65}, {65, 65, 65, no}},
		"a burst, behind":            {{70, 60, 70, no}, {71, 65, 70, 75}, {75, 65, 75, no}},
		"a burst, ahead":             {{60, 62, no, 62}, {61, 67, no, 62}, {62, 67, 62, 67}, {67, 67, 67, no}},
		"a burst, urgently ended":    {{60, 60, 60, no}, {61, 65, 60, 65}, {62, 62, 62, no}},
		"two bursts, ahead by an age": {
			{60, 660, no, 66}, {61, 665, no, 66}, {62, 670, no, 66}, {66, 670, 66, 68}, {68, 670, 68, no},
		},
	} {
		h := newHinted(t)
		for _, step := range steps {
			got := h.see(seconds(step.at), seconds(step.stored))
			var want schedule.Due
			if step.last != no {
				want.Last = noon.Add(seconds(step.last))
			}
			if step.next != no {
				want.Next = noon.Add(seconds(step.next))
			}
			if !got.Last.Equal(want.Last) || !got.Next.Equal(want.Next) {
				t.Errorf("%s: at %d, %d is stored: %v, want %v", name, step.at, step.stored, got, want)
			}
		}
	}
}

func TestHintsOfADeletedUserAreForgotten(t *testing.T) {
	t.Parallel()
	h := newHinted(t)
	h.see(time.Minute, time.Minute)
	h.ForgetHint(client.ObjectKeyFromObject(&h.user))
	if len(h.hints.byUser) > 0 {
		t.Errorf("%v are kept", h.hints.byUser)
	}
	h.user.Status.HintedAt = nil
	if due := h.Hint(&h.user, interval); due.Due != (schedule.Due{}) || len(h.hints.byUser) > 0 {
		t.Errorf("without a hint: %v, and %v are kept", due, h.hints.byUser)
	}
}

// Events reach receivers whose clocks are wrong by any amount, and differ by at most hook.Slack. Each is followed by a read that
// begins after it, at most two pauses later, and there are no other reads.
func TestEveryEventLeadsToARead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h := newHinted(t)
		// In whole microseconds, as hints are stored: two writes to one user are never closer.
		most := interval.Microseconds()
		skew := time.Duration(rapid.Int64Range(-most, most).Draw(rt, "skew")) * time.Microsecond
		apart := rapid.Int64Range(0, hook.Slack.Microseconds())
		gap := rapid.OneOf(
			rapid.Int64Range(1, (hook.Pause/10).Microseconds()), rapid.Int64Range(1, (3*hook.Pause).Microseconds()),
		)
		var readAt, waiting time.Duration // when the last read began, and the first event that waits for one
		reads, stores := 0, 0
		reconcile := func(now time.Duration) (next time.Duration) {
			due := h.see(now, h.user.Status.HintedAt.Sub(noon))
			if !due.Last.IsZero() && due.Last.Sub(noon) > readAt {
				readAt, waiting = now, 0
				reads++
			}
			if due.Next.IsZero() {
				return 0
			}
			return due.Next.Sub(noon)
		}
		now, next := time.Duration(0), time.Duration(0)
		until := func(end time.Duration) {
			for next != 0 && next < end { // an event comes before a read at the same time
				now = next
				next = reconcile(now)
			}
			now = end
			if waiting != 0 && now-waiting > 2*hook.Pause {
				rt.Fatalf("an event at %v waits at %v", waiting, now)
			}
		}
		for range rapid.IntRange(1, 20).Draw(rt, "events") {
			until(now + time.Duration(gap.Draw(rt, "wait"))*time.Microsecond)
			var before time.Time
			if h.user.Status.HintedAt != nil {
				before = h.user.Status.HintedAt.Time
			}
			if waiting == 0 {
				waiting = now
			}
			if at, store := hook.Hint(before, noon.Add(now+skew+time.Duration(apart.Draw(rt, "apart"))*time.Microsecond), rapid.Bool().Draw(rt, "urgent")); store {
				stores++
				h.user.Status.HintedAt = &metav1.MicroTime{Time: at}
				next = reconcile(now)
			}
		}
		until(now + 3*hook.Pause)
		if waiting != 0 || next != 0 || reads > stores {
			rt.Fatalf("%v waits, the next read is at %v; %d reads for %d hints", waiting, next, reads, stores)
		}
	})
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
