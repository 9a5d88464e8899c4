package sandbox

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestAlarmStopsAtOnce sets an alarm anew at the moment at which it rings.
func TestAlarmStopsAtOnce(t *testing.T) {
	for range 500 {
		synctest.Test(t, func(t *testing.T) {
			a := &alarm{clock: &clock{wall: time.Now}}
			a.ring = func() { a.set(time.Now().Add(time.Hour)) }
			due := time.Now().Add(time.Second)
			a.set(due)
			var work sync.WaitGroup
			for range 3 {
				work.Go(func() {
					time.Sleep(time.Second)
					a.set(due.Add(-time.Nanosecond))
				})
			}
			work.Wait()
			time.Sleep(time.Second)
			began := time.Now()
			a.stop()
			if took := time.Since(began); took > 0 {
				t.Errorf("stopping it took %s", took)
			}
		})
	}
}
