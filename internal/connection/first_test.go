package connection

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// TestOneFirstCreateAtATime starts many creates while the mode is unknown. The first two fail.
func TestOneFirstCreateAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f firstCreate
		var known, running atomic.Int32
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				leave, err := f.enter(t.Context(), func() bool { return known.Load() > 0 })
				if err != nil {
					t.Error(err)
					return
				}
				defer leave()
				if known.Load() == 0 {
					if running.Add(1) != 1 {
						t.Error("two creations ran in parallel while the mode was unknown")
					}
					time.Sleep(3 * time.Second)
					running.Add(-1)
				}
				if i >= 2 {
					known.Store(1)
				}
			})
			synctest.Wait()
		}
		start := time.Now()
		group.Wait()
		if took := time.Since(start); took > 9*time.Second {
			t.Errorf("all took %v", took)
		}
	})
}

// TestACreateDoesNotWaitForLong makes callers wait while the first create hangs: they give up, and are woken when it has ended.
func TestACreateDoesNotWaitForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f firstCreate
		unknown := func() bool { return false }
		leave, err := f.enter(t.Context(), unknown)
		if err != nil {
			t.Fatal(err)
		}
		woken := 0
		caller := smile.WithCaller(t.Context(), smile.NewCaller(func() { woken++ }))
		start := time.Now()
		if _, err := f.enter(caller, unknown); !smile.KeepsPlace(err) || time.Since(start) != firstPatience {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if err := f.turn(caller); !smile.KeepsPlace(err) {
			t.Errorf("its turn came too early: %v", err)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.enter(impatient, unknown); !errors.Is(err, context.DeadlineExceeded) || !smile.NotCreated(err) {
			t.Errorf("a context that has ended: %v", err)
		}
		leave()
		if woken != 1 {
			t.Errorf("it was woken %d times", woken)
		}
		if err := f.turn(caller); err != nil {
			t.Errorf("its turn has not come: %v", err)
		}
	})
}
