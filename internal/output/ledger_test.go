package output_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/output"
)

var morning = time.Date(2026, 3, 31, 8, 0, 0, 0, time.UTC)

// ledgers makes ledgers of one installation: each is a process.
type ledgers struct {
	client.WithWatch
	clock *clocktesting.FakePassiveClock
	key   identity.Key
	// unconfirmed is true while Smile does not confirm the time of clock.
	unconfirmed bool
}

func newLedgers(t *testing.T, objects ...client.Object) *ledgers {
	t.Helper()
	key, _ := identity.NewKey()
	return &ledgers{WithWatch: newCluster(t, objects...), clock: clocktesting.NewFakePassiveClock(morning), key: key}
}

func (l *ledgers) process(t *testing.T) *output.Ledger {
	t.Helper()
	return output.NewLedger(t.Context(), output.LedgerConfig{
		Live: l, Namespace: "operator", Key: l.key, Days: output.LedgerDays, Interval: output.LedgerInterval,
		Today: func() (time.Time, bool) { return l.clock.Now(), !l.unconfirmed },
	})
}

// shards are the ConfigMaps that exist.
func (l *ledgers) shards(t *testing.T) map[string]corev1.ConfigMap {
	t.Helper()
	var all corev1.ConfigMapList
	err := l.List(t.Context(), &all, client.InNamespace("operator"), client.MatchingLabels{v1alpha1.LabelErasureLedger: "true"})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]corev1.ConfigMap{}
	for _, stored := range all.Items {
		found[strings.TrimPrefix(stored.Name, output.ErasureLedger+"-")] = stored
	}
	return found
}

func (l *ledgers) names(t *testing.T) string {
	t.Helper()
	return strings.Join(slices.Sorted(maps.Keys(l.shards(t))), " ")
}

func record(t *testing.T, l *output.Ledger, ids ...string) {
	t.Helper()
	if err := l.Record(t.Context(), ids...); err != nil {
		t.Fatal(err)
	}
}

// contained returns the ids that a ledger contains.
func contained(t *testing.T, l *output.Ledger, ids ...string) []string {
	t.Helper()
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		found, err := l.Contains(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return !found
	})
}

func ids(prefix string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%s-%d", prefix, i))
	}
	return all
}

func TestWhatIsRecordedIsKnownToTheNextProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newLedgers(t)
		first := cluster.process(t)
		if got := contained(t, first, "a", "b"); len(got) > 0 || cluster.names(t) != "" {
			t.Errorf("a new ledger contains %v, and has the shards %s", got, cluster.names(t))
		}
		record(t, first, "a")
		for name, process := range map[string]*output.Ledger{"this": first, "the next": cluster.process(t)} {
			if diff := cmp.Diff([]string{"a"}, contained(t, process, "a", "b")); diff != "" {
				t.Errorf("%s process: %s", name, diff)
			}
		}
		shards := cluster.shards(t)
		if diff := cmp.Diff(map[string]string{"2026-03-31": cluster.key.Erased("a")[:12]}, shards["1"].Data); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]string{"first": "1", "last": "1"}, shards["0"].Data); diff != "" {
			t.Error(diff)
		}
	})
}

// What comes while a write is under way or was less than 100 ms ago is written together, and nobody returns before
// that. What is stored already is not written again.
func TestWritesAreGrouped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newLedgers(t)
		updates := 0
		cluster.WithWatch = interceptor.NewClient(cluster.WithWatch, interceptor.Funcs{
			Update: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
				updates++
				return to.Update(ctx, obj, opts...)
			},
		})
		ledger := cluster.process(t)
		record(t, ledger, "first")
		before, began := updates, time.Now()
		var work sync.WaitGroup
		for _, id := range slices.Concat(ids("a", 50), ids("a", 50), []string{"first"}) {
			work.Go(func() {
				record(t, ledger, id)
				if wait := time.Since(began); wait != output.LedgerInterval && id != "first" {
					t.Errorf("%s was stored after %v", id, wait)
				}
			})
		}
		work.Wait()
		if updates-before != 1 {
			t.Errorf("%d writes", updates-before)
		}
		if entries := len(cluster.shards(t)["1"].Data["2026-03-31"]) / 12; entries != 51 {
			t.Errorf("%d entries", entries)
		}
		if err := testutil.CollectAndCompare(ledger, strings.NewReader(`
			# HELP smile_operator_erasure_ledger_entries Accounts in the erasure ledger. Absent until the ledger was read.
			# TYPE smile_operator_erasure_ledger_entries gauge
			smile_operator_erasure_ledger_entries 51
			# HELP smile_operator_erasure_ledger_shards ConfigMaps of the erasure ledger, without its head. Absent until the ledger was read.
			# TYPE smile_operator_erasure_ledger_shards gauge
			smile_operator_erasure_ledger_shards 1
		`)); err != nil {
			t.Error(err)
		}
	})
}

// All callers that wait for a write get its error, and another write is tried.
func TestAFailureIsReturnedToAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newLedgers(t)
		refused := errors.New("quota exceeded")
		refuse := refused
		cluster.WithWatch = interceptor.NewClient(cluster.WithWatch, interceptor.Funcs{
			Create: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
				if refuse != nil {
					return refuse
				}
				return to.Create(ctx, obj, opts...)
			},
		})
		ledger := cluster.process(t)
		var work sync.WaitGroup
		for _, id := range ids("a", 5) {
			work.Go(func() {
				if err := ledger.Record(t.Context(), id); !errors.Is(err, refused) {
					t.Errorf("%s: %v", id, err)
				}
			})
		}
		work.Wait()
		if got := contained(t, ledger, ids("a", 5)...); len(got) > 0 {
			t.Errorf("an account that was not stored is in the ledger: %v", got)
		}
		refuse = nil
		record(t, ledger, ids("a", 5)...)
		if got := contained(t, cluster.process(t), ids("a", 5)...); len(got) != 5 {
			t.Errorf("%v are contained", got)
		}
	})
}

// A caller that gives up does not cancel the write for the others.
func TestACallerMayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newLedgers(t)
		ledger := cluster.process(t)
		record(t, ledger, "first")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("gave up"))
		defer cancel()
		if err := ledger.Record(ctx, "a"); err == nil || err.Error() != "gave up" {
			t.Error(err)
		}
		time.Sleep(output.LedgerInterval)
		synctest.Wait()
		if got := contained(t, cluster.process(t), "a"); len(got) != 1 {
			t.Error("its account is not in the ledger")
		}
	})
}

// Two processes that know nothing of each other lose nothing of what the other has written, also while shards fill up.
func TestProcessesDoNotOverwriteEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newLedgers(t)
		processes := []*output.Ledger{cluster.process(t), cluster.process(t), cluster.process(t)}
		for _, p := range processes {
			contained(t, p, "loaded now")
		}
		var all []string
		for round := range 6 {
			for i, p := range processes {
				some := ids(fmt.Sprintf("%d-%d", round, i), 500)
				all = append(all, some...)
				record(t, p, some...)
			}
		}
		if got := contained(t, cluster.process(t), all...); len(got) != len(all) {
			t.Errorf("%d of %d entries are left", len(got), len(all))
		}
		if names := cluster.names(t); names != "0 1 2 3 4" {
			t.Errorf("the shards are %s", names)
		}
		for name, stored := range cluster.shards(t) {
			size := 0
			for key, value := range stored.Data {
				size += len(key) + len(value)
			}
			if full := name != "0" && name != "4"; size > 32<<10 || full && size < 32<<10-12 {
				t.Errorf("shard %s has %d bytes", name, size)
			}
		}
	})
}

// One call may add more accounts than a shard holds.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newLedgers(t)
		record(t, cluster.process(t), ids("a", 6000)...)
		if got := contained(t, cluster.process(t), ids("a", 6000)...); len(got) != 6000 || cluster.names(t) != "0 1 2 3" {
			t.Errorf("%d are left, the shards are %s", len(got), cluster.names(t))
		}
	})
}

// An entry counts for 400 days. What is older goes: whole shards from the front, and days of the last one.
func TestEntriesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newLedgers(t)
		ledger := cluster.process(t)
		record(t, ledger, ids("old", 6000)...) // two shards and a bit
		cluster.clock.SetTime(morning.AddDate(0, 0, 10))
		record(t, ledger, "younger", "old-0")
		last := morning.AddDate(0, 0, output.LedgerDays-1).Truncate(24 * time.Hour).Add(24*time.Hour - time.Second)
		cluster.clock.SetTime(last)
		record(t, ledger, "on the last day")
		if got := contained(t, ledger, "old-1", "younger"); len(got) != 2 || cluster.names(t) != "0 1 2 3" {
			t.Errorf("on the last day %v are contained, in %s", got, cluster.names(t))
		}
		cluster.clock.SetTime(last.Add(time.Second))
		for _, process := range []*output.Ledger{ledger, cluster.process(t)} {
			if diff := cmp.Diff([]string{"old-0", "younger"}, contained(t, process, "old-0", "old-1", "younger")); diff != "" {
				t.Errorf("the day after: %s", diff)
			}
		}
		record(t, ledger, "new")
		if names := cluster.names(t); names != "0 3" {
			t.Errorf("the shards are %s", names)
		}
		if diff := cmp.Diff("3 3", cluster.shards(t)["0"].Data["first"]+" "+cluster.shards(t)["0"].Data["last"]); diff != "" {
			t.Error(diff)
		}
		days := slices.Sorted(maps.Keys(cluster.shards(t)["3"].Data))
		if diff := cmp.Diff([]string{"2026-04-10", "2027-05-04", "2027-05-05"}, days); diff != "" {
			t.Error(diff)
		}
		want := []string{"old-0", "younger", "on the last day", "new"}
		if diff := cmp.Diff(want, contained(t, cluster.process(t), "old-0", "old-1", "younger", "on the last day", "new")); diff != "" {
			t.Error(diff)
		}
	})
}

// While Smile does not confirm the clock, no entry is too old: it may have been set forward.
func TestNoEntryExpiresByAClockThatMayBeWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newLedgers(t)
		ledger := cluster.process(t)
		record(t, ledger, ids("a", 6000)...)
		before := cluster.names(t)
		cluster.clock.SetTime(morning.AddDate(0, 0, output.LedgerDays))
		cluster.unconfirmed = true
		for _, process := range []*output.Ledger{ledger, cluster.process(t)} {
			record(t, process, fmt.Sprintf("in a wrong year, by %p", process))
			if got := contained(t, process, "a-0", "a-5999"); len(got) != 2 {
				t.Errorf("only %v are contained", got)
			}
		}
		if after := cluster.names(t); after != before {
			t.Errorf("the shards are %s, and were %s", after, before)
		}
		cluster.clock.SetTime(morning)
		cluster.unconfirmed = false
		record(t, ledger, "in the right year")
		for _, process := range []*output.Ledger{ledger, cluster.process(t)} {
			if got := contained(t, process, ids("a", 6000)...); len(got) != 6000 {
				t.Errorf("%d of 6000 are left", len(got))
			}
		}
	})
}

func (l *ledgers) remove(t *testing.T, n int) {
	t.Helper()
	name := fmt.Sprintf("%s-%d", output.ErasureLedger, n)
	err := l.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "operator", Name: name}})
	if err != nil {
		t.Fatal(err)
	}
}

// A ledger that is not complete answers nothing, and answers once it is restored.
func TestAnIncompleteLedgerAnswersNothing(t *testing.T) {
	for n := range 4 {
		t.Run(fmt.Sprint("shard ", n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newLedgers(t)
				record(t, cluster.process(t), ids("a", 6000)...)
				backup := cluster.shards(t)[fmt.Sprint(n)]
				cluster.remove(t, n)
				ledger := cluster.process(t)
				if found, err := ledger.Contains(t.Context(), "a-0"); err == nil || found || !strings.Contains(err.Error(), backup.Name) {
					t.Errorf("without %s: %v, %v", backup.Name, found, err)
				}
				backup.ResourceVersion, backup.UID = "", ""
				if err := cluster.Create(t.Context(), &backup); err != nil {
					t.Fatal(err)
				}
				if got := contained(t, ledger, ids("a", 6000)...); len(got) != 6000 {
					t.Errorf("restored, it contains %d", len(got))
				}
			})
		})
	}
	for name, data := range map[string]map[string]string{
		"a damaged day":   {"2026-13-31": "AAAAAAAAAAAA"},
		"a damaged entry": {"2026-03-31": "AAAAAAAAAAA"},
		"no entry":        {"2026-03-31": ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newLedgers(t)
				record(t, cluster.process(t), "a")
				stored := cluster.shards(t)["1"]
				stored.Data = data
				if err := cluster.Update(t.Context(), &stored); err != nil {
					t.Fatal(err)
				}
				if _, err := cluster.process(t).Contains(t.Context(), "a"); err == nil {
					t.Error("it answers")
				}
			})
		})
	}
	t.Run("API server", func(t *testing.T) {
		cluster := newLedgers(t)
		cluster.WithWatch = interceptor.NewClient(cluster.WithWatch, interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return apierrors.NewServiceUnavailable("away")
			},
		})
		if _, err := cluster.process(t).Contains(t.Context(), "a"); err == nil {
			t.Error("it answers")
		}
	})
}

// A process that finds an older copy of the last shard, or none, writes what it knows of it again.
func TestALossUnderARunningProcessIsRepaired(t *testing.T) {
	for name, damage := range map[string]func(*testing.T, *ledgers){
		"the last shard is deleted": func(t *testing.T, l *ledgers) { l.remove(t, 1) },
		"the head is deleted":       func(t *testing.T, l *ledgers) { l.remove(t, 0) },
		"all is deleted": func(t *testing.T, l *ledgers) {
			l.remove(t, 0)
			l.remove(t, 1)
		},
		"an older copy is restored": func(t *testing.T, l *ledgers) {
			stored := l.shards(t)["1"]
			stored.Data = map[string]string{"2026-03-31": stored.Data["2026-03-31"][:12]}
			if err := l.Update(t.Context(), &stored); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newLedgers(t)
				ledger := cluster.process(t)
				record(t, ledger, "a")
				record(t, ledger, "b")
				damage(t, cluster)
				record(t, ledger, "c")
				record(t, ledger, "d")
				if name == "the head is deleted" {
					record(t, ledger, ids("more", 3000)...) // the head is written when a shard is full
				}
				if diff := cmp.Diff([]string{"a", "b", "c", "d"}, contained(t, cluster.process(t), "a", "b", "c", "d")); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A process that ends between two of its writes leaves a ledger that the next one can read and write.
func TestAProcessMayEndBetweenTwoWrites(t *testing.T) {
	for lost := range 12 {
		t.Run(fmt.Sprint("after write ", lost), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newLedgers(t)
				sound := cluster.WithWatch
				left := lost
				spend := func(write func() error) error {
					if left--; left < 0 {
						return errors.New("the process has ended")
					}
					return write()
				}
				cluster.WithWatch = interceptor.NewClient(sound, interceptor.Funcs{
					Create: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
						return spend(func() error { return to.Create(ctx, obj, opts...) })
					},
					Update: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
						return spend(func() error { return to.Update(ctx, obj, opts...) })
					},
					Delete: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
						return spend(func() error { return to.Delete(ctx, obj, opts...) })
					},
				})
				ending := cluster.process(t)
				var stored []string
				for i, some := range [][]string{ids("a", 2000), ids("b", 2000), ids("c", 2000), ids("d", 10)} {
					cluster.clock.SetTime(morning.AddDate(0, 0, 200*i))
					if err := ending.Record(t.Context(), some...); err == nil && i > 0 {
						stored = append(stored, some...)
					}
				}
				cluster.WithWatch = sound
				next := cluster.process(t)
				record(t, next, "next")
				stored = append(stored, "next")
				for _, process := range []*output.Ledger{next, cluster.process(t)} {
					want := slices.DeleteFunc(slices.Clone(stored), func(id string) bool { return strings.HasPrefix(id, "b-") })
					if got := contained(t, process, want...); len(got) != len(want) {
						t.Errorf("%d of %d entries are left", len(got), len(want))
					}
				}
			})
		})
	}
}

// The process that led before may have recorded an erasure after this one has read the ledger, and a ledger may be restored
// while a process runs.
func TestWhatAnotherProcessRecordsLaterIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newLedgers(t)
		first, second := cluster.process(t), cluster.process(t)
		if got := contained(t, second, "a"); len(got) > 0 {
			t.Errorf("a new ledger contains %v", got)
		}
		record(t, first, "a")
		if diff := cmp.Diff([]string{"a"}, contained(t, second, "a", "b")); diff != "" {
			t.Error(diff)
		}
		record(t, second, "b")
		if diff := cmp.Diff([]string{"a", "b"}, contained(t, first, "a", "b")); diff != "" {
			t.Error(diff)
		}
	})
}
