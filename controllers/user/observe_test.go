package user_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A connection that only observes Smile", func() {
	var s *scene
	policy := func(wanted v1alpha1.ManagementPolicy) {
		GinkgoHelper()
		s.Change(s.conn, func() { s.conn.Spec.ManagementPolicy = wanted })
		s.op.Run(s.conn)
	}
	changes := func() int {
		return s.Smile.Calls(0, "create-user", "create-token", "delete-account", "delete-archive", "create-webhook", "delete-webhook")
	}

	BeforeEach(func() { s = newScene(testenv.Config{}) })

	It("creates no user, says so, and creates it once it manages", func() {
		policy(v1alpha1.PolicyObserve)
		george := s.user("george")
		s.op.Run(george)
		Expect(s.Outcome(george)).To(Equal(testenv.Waiting(v1alpha1.ReasonObserveOnly)))
		Expect(s.Condition(george, v1alpha1.ConditionProvisioned)).To(Equal("False/ObserveOnly"))
		Expect(s.Message(george)).To(ContainSubstring("a user would be created"))
		Expect(george.Status.CreateAttempt).To(BeNil())
		Expect(changes()).To(BeZero())
		s.op.Quiet(george)

		policy(v1alpha1.PolicyManage)
		s.op.Run(george)
		Expect(s.Outcome(george)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.people()).To(HaveLen(1))
	})

	It("attaches the user of a subject that exists, and mints no token", func() {
		s.Delete(s.provisioned("george"))
		before := changes()
		policy(v1alpha1.PolicyObserve)
		george := s.user("george", testenv.WithToken("george-token"))
		s.op.Run(george)
		Expect(george.Status.UserID).To(Equal(s.people()[0]))
		Expect(s.Condition(george, v1alpha1.ConditionProvisioned)).To(Equal("True/Succeeded"))
		Expect(s.Condition(george, v1alpha1.ConditionTokenIssued)).To(Equal("False/ObserveOnly"))
		Expect(s.Message(george)).To(ContainSubstring("a link token would be minted"))
		Expect(changes()).To(Equal(before))
	})
})
