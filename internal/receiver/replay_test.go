package receiver

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
)

const urgentKind, patientKind = "TASK_FINISHED", "IDENTITY_ADDED"

// take delivers events at short intervals, to each receiver in turn. All must be acknowledged.
func take(t *testing.T, kind string, copies int, apart time.Duration, turn func(i int) *fixture) {
	t.Helper()
	body := eventOf(kind)
	var work sync.WaitGroup
	for i := range copies {
		work.Go(func() {
			<-time.After(time.Duration(i) * apart)
			if got := turn(i).answerTo(genuineOf(t.Context(), body)); got != http.StatusNoContent {
				t.Errorf("copy %d: %d", i, got)
			}
		})
	}
	work.Wait()
}

// All copies of an event that is repeated or replayed are acknowledged, however old it is, even if the receiver restarts in
// between. An urgent event causes one write per interval. Another causes two: for a read now, and for one a pause later.
func TestCopiesOfAnEventCostAFewWrites(t *testing.T) {
	const copies, apart = 1000, 2 * time.Millisecond
	grouped := int(copies*apart/writeInterval) + 2
	for name, test := range map[string]struct {
		kind     string
		age      time.Duration
		copies   int
		restarts bool
		most     int
	}{
		"one of yesterday":              {urgentKind, 24 * time.Hour, 1, false, 1},
		"one of a month ago":            {urgentKind, 30 * 24 * time.Hour, 1, false, 1},
		"one that can wait":             {patientKind, 30 * 24 * time.Hour, 1, false, 1},
		"one, after a restart":          {patientKind, 24 * time.Hour, 1, true, 1},
		"many":                          {urgentKind, 0, copies, false, grouped},
		"many of yesterday":             {urgentKind, 24 * time.Hour, copies, false, grouped},
		"many, and a restart":           {urgentKind, 24 * time.Hour, copies, true, grouped + 1},
		"many that can wait":            {patientKind, 0, copies, false, 2},
		"many of a month ago":           {patientKind, 30 * 24 * time.Hour, copies, false, 2},
		"many that wait, and a restart": {patientKind, 24 * time.Hour, copies, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				former := newFixture(t)
				kube, latter := former.kube, former
				take(t, test.kind, 1, 0, func(int) *fixture { return former })
				<-time.After(test.age)
				if test.restarts {
					latter = restarted(t, kube)
				}
				if test.restarts && test.copies == 1 {
					former = latter
				}
				writes, lastEvents, reads := len(kube.all()), kube.lastEvents, kube.read["*v1alpha1.SmileUser"]
				last := time.Now().Add(time.Duration(test.copies-1) * apart)
				take(t, test.kind, test.copies, apart, func(i int) *fixture {
					if i < test.copies/2 {
						return former
					}
					return latter
				})
				all := kube.all()
				if n := len(all) - writes; n > test.most {
					t.Errorf("%d copies make %d writes, want %d at most", test.copies, n, test.most)
				}
				if due := all[len(all)-1].hint; due.Before(last) {
					t.Errorf("the last read is due %v before the last copy arrives", last.Sub(due))
				}
				// A SmileUser is read once for each write, to learn whether the stored hint suffices or has changed.
				if n := kube.read["*v1alpha1.SmileUser"] - reads; n > grouped+1 {
					t.Errorf("%d copies make %d reads of the person, want %d at most", test.copies, n, grouped+1)
				}
				if n, pairs := kube.lastEvents-lastEvents, kube.read["*v1.Secret"]; n > 1 || pairs > 2 {
					t.Errorf("%d copies make %d writes to the subscription and %d reads of the pair in all", test.copies, n, pairs)
				}
			})
		})
	}
}

// orders returns all permutations of some words.
func orders(words []string) (all [][]string) {
	if len(words) == 0 {
		return [][]string{nil}
	}
	for i := range words {
		for _, rest := range orders(slices.Delete(slices.Clone(words), i, i+1)) {
			all = append(all, append([]string{words[i]}, rest...))
		}
	}
	return all
}

var life = []string{"ACCOUNT_CREATED", "ACCOUNT_CONNECTED", "TASK_FINISHED", "ACCOUNT_DISCONNECTED"}

// hinted returns the stored SmileUser, and when it must be read.
func (d *fixture) hinted(t *testing.T) (user *v1alpha1.SmileUser, at time.Time) {
	t.Helper()
	user = person()
	if err := d.kube.Get(t.Context(), client.ObjectKeyFromObject(user), user); err != nil {
		t.Fatal(err)
	}
	if user.Status.HintedAt != nil {
		at = user.Status.HintedAt.Time
	}
	return user, at
}

// Events about an account that arrive together request the same read in any order.
func TestConcurrentEventsRequestTheSameReadInAnyOrder(t *testing.T) {
	outcomes := map[string][]string{}
	for _, order := range orders(life) {
		synctest.Test(t, func(t *testing.T) {
			d, began := newFixture(t), time.Now()
			answers := make(chan int, len(order))
			for _, kind := range order {
				go func() { answers <- d.answerTo(genuineOf(t.Context(), eventOf(kind))) }()
				synctest.Wait() // it has joined
			}
			for range order {
				if got := <-answers; got != http.StatusNoContent {
					t.Errorf("%v: %d", order, got)
				}
			}
			_, at := d.hinted(t)
			if at.Before(began) {
				t.Errorf("%v request no read", order)
			}
			outcome := fmt.Sprintf("a read after %v, %d writes", at.Sub(began), len(d.kube.all()))
			outcomes[outcome] = append(outcomes[outcome], fmt.Sprint(order))
		})
	}
	if len(outcomes) != 1 {
		t.Errorf("the order matters: %v", outcomes)
	}
}

// If they arrive one after another, a read follows the last one too, at most a pause later. Nothing of their contents is stored.
func TestEventsOnlyRequestReads(t *testing.T) {
	for _, order := range orders(life) {
		synctest.Test(t, func(t *testing.T) {
			d := newFixture(t)
			before, _ := d.hinted(t)
			for _, kind := range order {
				<-time.After(time.Second)
				came := time.Now()
				if got := d.answerTo(genuineOf(t.Context(), eventOf(kind))); got != http.StatusNoContent {
					t.Errorf("%v: %s: %d", order, kind, got)
				}
				_, at := d.hinted(t)
				if wait := at.Sub(came); wait < 0 || wait > hook.Pause+hook.Slack || wait > 0 && (kind == "TASK_FINISHED" || kind == "ACCOUNT_DISCONNECTED") {
					t.Errorf("%v: after %s a read is due in %v", order, kind, wait)
				}
			}
			after, _ := d.hinted(t)
			before.Status.HintedAt, before.Status.Hints, before.ResourceVersion = after.Status.HintedAt, after.Status.Hints, after.ResourceVersion
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the writes %v change more than the hint:\n%s", order, diff)
			}
		})
	}
}
