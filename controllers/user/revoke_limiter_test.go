package user_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("Many deletions at once", func() {
	const many = 50
	var (
		s     *scene
		users []*v1alpha1.SmileUser
	)

	pass := func() {
		GinkgoHelper()
		for _, user := range users {
			if s.Exists(user) {
				s.op.Run(user)
			}
		}
	}
	waiting := func() (left []*v1alpha1.SmileUser) {
		GinkgoHelper()
		for _, user := range users {
			if s.Exists(user) {
				left = append(left, user)
			}
		}
		return left
	}
	revoked := func() int { return s.Smile.Calls(0, "delete-account") }
	approve := func(value string) {
		GinkgoHelper()
		s.Annotate(s.conn, v1alpha1.AnnotationApproveRevokes, value)
		s.op.Run(s.conn)
	}

	BeforeEach(func() {
		s, users = newScene(testenv.Config{}), nil
		for i := range many {
			user := s.provisioned(fmt.Sprintf("user-%d", i), testenv.Revoking)
			s.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
			s.Delete(user)
			users = append(users, user)
		}
	})

	It("revoke twenty accounts, then wait for an approval, and report that", func() {
		pass()
		Expect(revoked()).To(Equal(20))
		left := waiting()
		Expect(left).To(HaveLen(many - 20))
		for _, user := range left {
			Expect(s.Outcome(user)).To(Equal(testenv.Terminating(v1alpha1.ReasonDeletionBlocked)))
			Expect(s.Message(user)).To(And(ContainSubstring(v1alpha1.ReasonRevokesPaused),
				ContainSubstring(v1alpha1.AnnotationApproveRevokes)))
			s.op.Quiet(user)
		}
		s.op.Run(s.conn)
		Expect(s.Outcome(s.conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)), "everything else works")
		Expect(s.Condition(s.conn, v1alpha1.ConditionRevokesAllowed)).To(Equal("False/RevokesPaused"))
		Expect(s.op.Reasons(s.conn)).To(ContainElement(v1alpha1.ReasonRevokesPaused))
		s.op.Quiet(s.conn)

		before := s.Smile.Mark()
		s.Pass(time.Hour)
		pass()
		Expect(s.Smile.Calls(before)).To(BeZero(), "a waiting object makes no call")

		s.op = s.Operator()
		s.op.Run(s.conn)
		pass()
		Expect(revoked()).To(Equal(20), "the next process waits too")

		approve("2026-03-31")
		Expect(s.Condition(s.conn, v1alpha1.ConditionRevokesAllowed)).To(BeEmpty())
		Expect(s.conn.Status.LastHandledApproval).To(Equal("2026-03-31"))
		pass()
		Expect(waiting()).To(BeEmpty())
		Expect(revoked()).To(Equal(many))
	})

	It("are not approved by an older annotation", func() {
		approve("yes")
		pass()
		s.op.Run(s.conn)
		pass()
		s.op = s.Operator()
		s.op.Run(s.conn)
		pass()
		Expect(revoked()).To(Equal(20))
		Expect(s.Condition(s.conn, v1alpha1.ConditionRevokesAllowed)).To(Equal("False/RevokesPaused"))
	})

	It("can be changed to Retain while they wait", func() {
		pass()
		for _, user := range waiting() {
			s.Change(user, func() { user.Spec.DeletionPolicy = v1alpha1.UserRetain })
		}
		pass()
		Expect(waiting()).To(BeEmpty())
		Expect(revoked()).To(Equal(20))
	})
})
