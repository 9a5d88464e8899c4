package accountsync_test

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A list of data that never ends", func() {
	const mib = 1 << 20
	heap := func() uint64 {
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		return memory.HeapSys - memory.HeapReleased
	}

	It("is aborted each time, uses little memory, and is not written", func() {
		s := newScene(testenv.Config{})
		s.link("sss_ph")
		s.Smile.Break(sandbox.Fault{Operation: "list-contributions", Count: -1, Action: "endless"})
		sync := s.sync(func(sync *v1alpha1.SmileAccountSync) {
			sync.Spec.Datapoints = []v1alpha1.Datapoint{{Type: "CONTRIBUTIONS"}}
		})

		runtime.GC()
		before, largest := heap(), atomic.Uint64{}
		s.Smile.Instead = func(http.ResponseWriter, *http.Request) bool {
			if now := heap(); now > largest.Load() {
				largest.Store(now)
			}
			return false
		}
		calls := s.Smile.Mark()
		for range 3 {
			s.ask(sync)
			s.op.Run(sync)
			Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonListingTooLong)))
			Expect(s.Condition(sync, v1alpha1.ConditionDataSynced)).To(Equal("False/ListingTooLong"))
		}
		Expect(s.Smile.Calls(calls, "list-contributions")).To(Equal(3 * 100))
		grown := float64(max(largest.Load(), before)-before) / mib
		GinkgoWriter.Printf("the heap, the sandbox's included, grew by %.0f MiB\n", grown)
		Expect(grown).To(BeNumerically("<=", 64))
		_, written := s.Secret(testenv.DataName)
		Expect(written).To(BeFalse())

		s.Smile.ClearFaults()
		s.op.Live(16*time.Minute, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})
})
