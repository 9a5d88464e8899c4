package clock

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestAlarmStopsAtOnce sets an alarm again at the moment at which it rings.
func TestAlarmStopsAtOnce(t *testing.T) {
	for range 500 {
		synctest.Test(t, func(t *testing.T) {
			a := NewAlarm(New(time.Now), nil)
			a.ring = func() { a.Set(time.Now().Add(time.Hour)) }
			due := time.Now().Add(time.Second)
			a.Set(due)
			var work sync.WaitGroup
			for range 3 {
				work.Go(func() {
					time.Sleep(time.Second)
					a.Set(due.Add(-time.Nanosecond))
				})
			}
			work.Wait()
			time.Sleep(time.Second)
			began := time.Now()
			a.Stop()
			if took := time.Since(began); took > 0 {
				t.Errorf("stopping it took %s", took)
			}
		})
	}
}
