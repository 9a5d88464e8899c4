package app

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestALargeHeapGrowsLess(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(smallGrowth)
	defer debug.SetGCPercent(before)
	stop := tuneCollector()
	defer stop()
	// becomes collects until the collector works as wanted.
	becomes := func(want int) bool {
		for range 1000 {
			runtime.GC()
			now := debug.SetGCPercent(smallGrowth)
			debug.SetGCPercent(now)
			if now == want {
				return true
			}
			runtime.Gosched()
		}
		return false
	}
	held := make([][]byte, 64)
	for i := range held {
		held[i] = make([]byte, 1<<20)
	}
	if !becomes(largeGrowth) {
		t.Errorf("a heap of %d MiB may double", liveHeap()>>20)
	}
	runtime.KeepAlive(held)
	runtime.GC()
	if liveHeap() < smallHeap && !becomes(smallGrowth) {
		t.Errorf("a heap of %d MiB may not double again", liveHeap()>>20)
	}
}

func TestGOGCIsRespected(t *testing.T) {
	t.Setenv("GOGC", "200")
	before := debug.SetGCPercent(200)
	defer debug.SetGCPercent(before)
	stop := tuneCollector()
	defer stop()
	held := make([]byte, 2*smallHeap)
	for range 10 {
		runtime.GC()
	}
	if now := debug.SetGCPercent(200); now != 200 {
		t.Errorf("it became %d", now)
	}
	runtime.KeepAlive(held)
}
