package accountsync_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// No garbage collector runs here: a test must delete what it would delete.
var _ = Describe("A SmileAccountSync that is deleted and created again", func() {
	It("waits for the garbage collector to remove its predecessor's output, within seconds", func() {
		s := newScene(testenv.Config{})
		former, _ := s.synced([]string{"sss_ph"})
		before, fetches := s.data(), s.fetches()
		s.Delete(former)
		sync := s.sync()
		s.ask(sync)
		Expect(s.op.Run(sync)).To(Equal(3 * time.Second))
		Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		Expect(s.Message(sync)).To(ContainSubstring("garbage collector"))
		s.op.Quiet(sync)
		s.op.Live(time.Minute, sync)
		Expect(s.data()).To(Equal(before))
		Expect(s.fetches()).To(Equal(fetches))

		s.Delete(before)
		s.op.Live(5*time.Second, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(metav1.IsControlledBy(s.data(), sync)).To(BeTrue())
	})
})
