package ledgertest_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// Three processes record accounts at the same time, more than two shards hold. The next process finds all of them. After 400 days
// only the last shard is left.
func TestLedgerOnAnAPIServer(t *testing.T) {
	w := testenv.New(t, testenv.Config{})
	w.Operator() // makes the identity key
	const each, at = 2000, 50
	processes := []*output.Ledger{w.Operator().Ledger, w.Operator().Ledger, w.Operator().Ledger}
	name := func(process, account int) string { return fmt.Sprintf("a-%d-%d", process, account) }
	var work sync.WaitGroup
	for p, ledger := range processes {
		work.Go(func() {
			for first := 0; first < each; first += at {
				var some []string
				for i := range at {
					some = append(some, name(p, first+i))
				}
				if err := ledger.Record(w.Context(), some...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	next := w.Operator().Ledger
	for p := range processes {
		for i := range each {
			if found, err := next.Contains(w.Context(), name(p, i)); err != nil || !found {
				t.Fatalf("%s: %v, %v", name(p, i), found, err)
			}
		}
	}
	if found, err := next.Contains(w.Context(), "another"); err != nil || found {
		t.Errorf("another account: %v, %v", found, err)
	}
	if n := shards(w); n != 4 {
		t.Errorf("%d ConfigMaps", n)
	}

	conn := testenv.Connection(testenv.ConnectionName)
	w.Create(conn, testenv.Keys(testenv.KeysName, testenv.One))
	last := w.Operator()
	last.Run(conn) // Smile confirms the clock
	next = last.Ledger
	w.Pass(output.LedgerDays * 24 * time.Hour)
	if err := next.Record(w.Context(), "another"); err != nil {
		t.Fatal(err)
	}
	if found, err := w.Operator().Ledger.Contains(w.Context(), name(0, 0)); err != nil || found {
		t.Errorf("after 400 days: %v, %v", found, err)
	}
	if n := shards(w); n != 2 {
		t.Errorf("after 400 days, %d ConfigMaps", n)
	}
}

func shards(w *testenv.World) int {
	var all corev1.ConfigMapList
	err := w.Client.List(w.Context(), &all, client.InNamespace(w.Namespace), client.MatchingLabels{v1alpha1.LabelErasureLedger: "true"})
	if err != nil {
		w.Fatal(err)
	}
	return len(all.Items)
}
