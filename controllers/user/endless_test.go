package user_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A listing of users that never ends", func() {
	It("is aborted, and no user is created until one ends", func() {
		s := newScene(testenv.Config{})
		s.Smile.Break(sandbox.Fault{Operation: "list-users", Count: -1, Action: "endless"})
		user := s.user(testenv.UserName)
		for range 60 { // a reconcile waits for the listing for a while only, and 10,000 pages take longer on a busy machine
			s.op.Run(user)
			if s.Outcome(user) != testenv.Fresh {
				break
			}
		}
		Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonListingTooLong)))
		Expect(s.Condition(user, v1alpha1.ConditionProvisioned)).To(Equal("False/ListingTooLong"))
		Expect(s.posts()).To(BeZero())
		s.Smile.ClearFaults()
		s.op.Live(20*time.Minute, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})
})
