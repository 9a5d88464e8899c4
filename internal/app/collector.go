package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// smallHeap is up to how many live bytes the garbage collector lets the heap double, as Go does. A larger heap may grow by
	// half: that costs a few percent of the processor time while thousands of users are worked on, and saves a quarter of the memory.
	smallHeap   = 16 << 20
	smallGrowth = 100
	largeGrowth = 50
)

// growth is by how many percent a heap with so many live bytes may grow before it is collected.
func growth(live uint64) int {
	if live <= smallHeap {
		return smallGrowth
	}
	return largeGrowth
}

// tuneCollector adapts the garbage collector to the size of the heap after each collection, unless GOGC says how it is to work.
// The memory limit that GOMEMLIMIT sets holds beside it. The returned function ends that.
func tuneCollector() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	ended := make(chan struct{})
	current := smallGrowth
	var adapt func()
	adapt = func() {
		select {
		case <-ended:
			return
		default:
		}
		if wanted := growth(liveHeap()); wanted != current {
			current = wanted
			debug.SetGCPercent(wanted)
		}
		afterCollection(adapt)
	}
	afterCollection(adapt)
	return func() { close(ended) }
}

// afterCollection calls f once, when the next collection has found an object that nothing refers to.
func afterCollection(f func()) {
	runtime.AddCleanup(new([16]byte), func(f func()) { f() }, f)
}

// liveHeap is how many bytes the last collection found to be in use.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
