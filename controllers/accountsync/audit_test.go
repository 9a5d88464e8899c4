package accountsync_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("The audit log", func() {
	It("has a record of each fetch and each write, with its reason", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		seen := 0
		expect := func(want ...string) {
			GinkgoHelper()
			var got []string
			for _, record := range s.op.Audit(sync)[seen:] {
				got = append(got, string(record.Action)+" "+string(record.Reason))
			}
			Expect(got).To(Equal(want))
			seen += len(got)
		}
		expect("Fetched Requested", "Written Requested")
		Expect(s.op.Audit(sync)[0].Datapoints).To(ConsistOf("IDENTITIES", "CONTRIBUTIONS"))

		s.Delete(s.data())
		s.op.Run(sync)
		expect("Fetched Repair", "Written Repair")

		s.Change(sync, func() { sync.Spec.Datapoints = sync.Spec.Datapoints[:1] })
		s.op.Run(sync)
		expect("Fetched SpecChanged", "Written SpecChanged")

		s.Change(sync, func() { sync.Spec.RefreshInterval = &metav1.Duration{Duration: time.Hour} })
		s.op.Run(sync)
		expect()
		s.Pass(time.Hour)
		s.op.Run(sync)
		expect("Fetched RefreshDue")
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})
})
