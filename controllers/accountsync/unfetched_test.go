package accountsync_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("Data is not fetched without need", func() {
	const text = "no data of persons in this namespace"
	var s *scene

	BeforeEach(func() { s = newScene(testenv.Config{}) })

	refused := func(sync *v1alpha1.SmileAccountSync) {
		GinkgoHelper()
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonClusterRefused)))
		Expect(s.Condition(sync, v1alpha1.ConditionOutputReady)).To(Equal("False/ClusterRefused"))
		Expect(s.Message(sync)).To(ContainSubstring(text))
		s.op.Quiet(sync)
	}

	It("while a policy denies the output from the beginning", func() {
		allow := s.Deny("identities.json", text)
		s.link("sss_ph")
		sync := s.sync()
		s.ask(sync)
		s.op.Live(2*time.Hour, sync)
		refused(sync)
		Expect(s.fetches()).To(BeZero())
		allow()
		s.op.Live(6*time.Minute, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.fetches()).To(Equal(1))
	})

	It("while a quota leaves no room for the output", func() {
		lift := s.Full()
		s.link("sss_ph")
		sync := s.sync()
		s.ask(sync)
		s.op.Live(2*time.Hour, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonClusterRefused)))
		Expect(s.Message(sync)).To(ContainSubstring("exceeded quota"))
		s.op.Quiet(sync)
		Expect(s.fetches()).To(BeZero())
		lift()
		s.op.Live(6*time.Minute, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.fetches()).To(Equal(1))
	})

	It("while a policy denies what was written before: at most once", func() {
		sync, linked := s.synced([]string{"sss_ph"})
		allow := s.Deny("identities.json", text)
		before := s.fetches()
		_, err := s.Smile.Resync(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.Pass(time.Minute)
		s.ask(sync)
		s.op.Live(2*time.Hour, sync)
		refused(sync)
		Expect(s.fetches() - before).To(BeNumerically("<=", 1))
		s.op = s.Operator()
		s.op.Run(s.conn)
		s.op.Live(time.Hour, sync)
		Expect(s.fetches() - before).To(BeNumerically("<=", 1))
		allow()
		s.op.Live(6*time.Minute, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("for twenty renames: the content moves", func() {
		sync, _ := s.synced([]string{"sss_ph"})
		content, before := s.data().Data, s.Smile.Calls(0)
		for i := range 20 {
			former := sync.Spec.Output.Secret.Name
			s.Change(sync, func() { sync.Spec.Output.Secret.Name = fmt.Sprintf("data-%d", i) })
			s.op.Run(sync)
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			_, ok := s.Secret(former)
			Expect(ok).To(BeFalse())
		}
		moved, ok := s.Secret("data-19")
		Expect(ok).To(BeTrue())
		Expect(moved.Data).To(Equal(content))
		Expect(s.Smile.Calls(0) - before).To(BeZero())

		s.ChangeStatus(sync, func() {
			sync.Status = v1alpha1.SmileAccountSyncStatus{CommonStatus: v1alpha1.CommonStatus{ObservedGeneration: -1}}
		})
		s.op.Live(time.Minute, sync)
		Expect(s.op.Reasons(sync)).To(ContainElement(v1alpha1.ReasonDataTakenBack), "the seal was made for the new name")
	})

	It("for a rename that a policy denies: the content stays under its former name until it can move", func() {
		sync, _ := s.synced([]string{"sss_ph"})
		before := s.fetches()
		allow := s.Deny("identities.json", text)
		s.Change(sync, func() { sync.Spec.Output.Secret.Name = "elsewhere" })
		s.op.Live(time.Hour, sync)
		refused(sync)
		s.data()
		allow()
		s.op.Live(6*time.Minute, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		_, ok := s.Secret("elsewhere")
		Expect(ok).To(BeTrue())
		_, ok = s.Secret(testenv.DataName)
		Expect(ok).To(BeFalse())
		Expect(s.fetches()).To(Equal(before))
	})

	It("for a change of the spec that selects no other data", func() {
		sync, _ := s.synced([]string{"sss_ph"})
		before := s.Smile.Calls(0)
		s.Change(sync, func() {
			sync.Spec.Retention = &v1alpha1.Retention{TTL: &metav1.Duration{Duration: 1000 * time.Hour}}
			sync.Spec.Output.Template = &v1alpha1.OutputTemplate{
				Metadata: &v1alpha1.OutputMetadata{Labels: map[string]v1alpha1.LabelValue{"example.com/team": "loans"}},
			}
		})
		s.op.Run(sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.data().Labels).To(HaveKey("example.com/team"))
		Expect(s.Smile.Calls(0)).To(Equal(before))
		s.op.Quiet(sync)
	})
})
