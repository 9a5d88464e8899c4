package engine

import (
	"errors"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

func conflict() error {
	return apierrors.NewConflict(schema.GroupResource{Resource: "smileusers"}, "george", errors.New("changed"))
}

func versioned(version string) *v1alpha1.SmileUser {
	return &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "george", ResourceVersion: version}}
}

// A reconcile of an object from before our last write would repeat what was done.
func TestAStaleCacheIsWaitedForButNotForever(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		wrote, shows string
		after        time.Duration
		late         bool
	}{
		"behind":                    {"100", "99", time.Second, true},
		"far behind":                {"100", "9", time.Second, true},
		"level":                     {"100", "100", time.Second, false},
		"ahead":                     {"100", "101", time.Second, false},
		"behind for too long":       {"100", "99", staleLimit, false},
		"no version that can order": {"100", "abc", time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m memory
			if m.newerThan(versioned(test.shows), began) {
				t.Error("late though nothing was written")
			}
			m.wrote(versioned(test.wrote), began, 0)
			if got := m.newerThan(versioned(test.shows), began.Add(test.after)); got != test.late {
				t.Errorf("late: %v", got)
			}
			if !test.late && m.newerThan(versioned("1"), began) {
				t.Error("the write is remembered forever")
			}
		})
	}
}

func TestMemoryIsSafeForManyWorkers(t *testing.T) {
	t.Parallel()
	var m memory
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				name := types.NamespacedName{Namespace: "n", Name: "george"}
				m.failed(name)
				m.writing(versioned("7"))
				m.wrote(versioned("7"), time.Time{}, 0)
				m.met(versioned("7"))
				m.altered(versioned("7"), time.Time{})
				m.newerThan(versioned("6"), time.Time{})
				m.succeeded(name)
				m.forget(name)
			}
		})
	}
	group.Wait()
	if len(m.failures)+len(m.writes)+len(m.statuses) != 0 {
		t.Errorf("%d failures, %d writes and %d statuses are left", len(m.failures), len(m.writes), len(m.statuses))
	}
}

func TestJitterLengthensByATenthAtMost(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 200 {
		got := Jitter(time.Minute)
		if got < time.Minute || got > 66*time.Second {
			t.Fatalf("got %v", got)
		}
		seen[got] = true
	}
	if len(seen) < 100 {
		t.Errorf("only %d of 200 are distinct", len(seen))
	}
}
