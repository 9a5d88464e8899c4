package user_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// customers is a Secret of business keys.
func customers(keys map[string]string) *corev1.Secret {
	return testenv.Permitting(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "customers"}, StringData: keys}, "subjects")
}

var _ = Describe("A re-created SmileUser", func() {
	again := func(s *scene, restart bool, changes ...func(*v1alpha1.SmileUser)) (before, after *v1alpha1.SmileUser) {
		GinkgoHelper()
		before = s.provisioned(testenv.UserName)
		s.Delete(before)
		s.op.Run(before)
		if restart {
			s.op = s.Operator()
		}
		return before, s.provisioned(testenv.UserName, changes...)
	}

	for _, restart := range []bool{false, true} {
		process := map[bool]string{false: "by the same process", true: "by the next process"}[restart]

		It("is re-attached to the same user at Smile "+process, func() {
			s := newScene(testenv.Config{})
			before, after := again(s, restart)
			Expect(after.UID).NotTo(Equal(before.UID))
			Expect(after.Status.UserID).To(Equal(before.Status.UserID))
			Expect(s.people()).To(HaveLen(1))
			Expect(s.op.Reasons(after)).To(ContainElement(v1alpha1.ReasonUserAdopted))
		})

		It("gets a new user when the policy is Never, "+process, func() {
			s := newScene(testenv.Config{})
			before, after := again(s, restart, testenv.NeverAdopting)
			Expect(after.Status.UserID).NotTo(Equal(before.Status.UserID))
			Expect(s.people()).To(HaveLen(2))
		})
	}

	It("is re-attached when the status was lost, as after a restore", func() {
		s := newScene(testenv.Config{})
		user := s.provisioned(testenv.UserName, testenv.NeverAdopting)
		id := user.Status.UserID
		s.ChangeStatus(user, func() { user.Status = v1alpha1.SmileUserStatus{} })
		s.op = s.Operator()
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(user.Status.UserID).To(Equal(id), "it carries the object's marker, with any policy")
		Expect(s.posts()).To(Equal(1))
	})

	It("is recognized by the business key, whatever the name", func() {
		s := newScene(testenv.Config{})
		s.Create(customers(map[string]string{"george": "C-4711"}))
		before := s.provisioned("first", testenv.WithSubject("customers", "george"))
		s.Delete(before)
		s.op.Run(before)
		after := s.provisioned("second", testenv.WithSubject("customers", "george"))
		Expect(after.Status.UserID).To(Equal(before.Status.UserID))
	})

	It("is another person in another namespace, even with the same keys and name", func() {
		s := newScene(testenv.Config{})
		here := s.provisioned(testenv.UserName)
		there := s.NewNamespace()
		conn, keys, user := testenv.Connection(testenv.ConnectionName), testenv.Keys(testenv.KeysName, testenv.One), testenv.User(testenv.UserName)
		for _, obj := range []interface{ SetNamespace(string) }{conn, keys, user} {
			obj.SetNamespace(there)
		}
		s.Create(conn, keys, user)
		s.op.Run(conn, user)
		Expect(user.Status.UserID).NotTo(BeElementOf("", here.Status.UserID))
		Expect(s.people()).To(HaveLen(2))
	})
})

var _ = Describe("Two SmileUsers with the same subject", func() {
	twins := func(s *scene) (first, second *v1alpha1.SmileUser) {
		GinkgoHelper()
		s.Create(customers(map[string]string{"george": "C-4711"}))
		return s.user("first", testenv.WithSubject("customers", "george")), s.user("second", testenv.WithSubject("customers", "george"))
	}

	It("have one user: the second object reports that, and gets the user when the first is deleted", func() {
		s := newScene(testenv.Config{})
		first, second := twins(s)
		s.op.Run(first)
		next := s.op.Run(second)
		Expect(s.Outcome(second)).To(Equal(testenv.Stalled(v1alpha1.ReasonUserIDConflict)))
		Expect(s.Condition(second, v1alpha1.ConditionProvisioned)).To(Equal("False/UserIDConflict"))
		Expect(next).To(Equal(time.Minute))
		s.op.Quiet(second)
		Expect(second.Status.UserID).To(BeEmpty())

		s.Delete(first)
		s.op.Live(2*time.Minute, second)
		Expect(s.Outcome(second)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(second.Status.UserID).To(Equal(first.Status.UserID))
		Expect(s.posts()).To(Equal(1))
	})

	It("have one user after a restart too", func() {
		s := newScene(testenv.Config{})
		first, second := twins(s)
		s.op.Run(first)
		s.op = s.Operator()
		s.op.Run(second)
		Expect(s.Outcome(second)).To(Equal(testenv.Stalled(v1alpha1.ReasonUserIDConflict)))
		Expect(s.people()).To(HaveLen(1))
	})

	It("have one user while the first is being created", func() {
		s := newScene(testenv.Config{})
		first, second := twins(s)
		s.op.Fence = func() error {
			s.op.Fence = func() error { return nil }
			Expect(s.op.Run(second)).To(Equal(5 * time.Second))
			Expect(s.Outcome(second)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
			s.op.Quiet(second)
			return nil
		}
		s.op.Live(2*time.Minute, first, second)
		Expect(s.people()).To(HaveLen(1))
		Expect(s.Outcome(first)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Outcome(second)).To(Equal(testenv.Stalled(v1alpha1.ReasonUserIDConflict)))
	})

	It("have one user even if the call of the first waited longer than listings lag", func() {
		s := newScene(testenv.Config{})
		s.provisioned("somebody") // after which creations no longer run one by one
		first, second := twins(s)
		s.op.Fence = func() error {
			s.op.Fence = func() error { return nil }
			s.op.Run(second)
			s.Pass(settled)
			_, _ = s.op.Reconcile(second)
			return nil
		}
		_, _ = s.op.Reconcile(first)
		s.op.Live(10*time.Minute, first, second)
		Expect(s.people()).To(HaveLen(2))
	})

	DescribeTable("have one user if the creation of the first was interrupted",
		func(phase, lag string) {
			s := newScene(testenv.Config{Sandbox: sandbox.Options{Quirks: map[string]string{"list-lag": lag}}})
			first, second := twins(s)
			s.Smile.Break(sandbox.Fault{Operation: "create-user", Phase: phase, Action: "reset"})
			s.op.Run(first, second)
			Expect(s.Outcome(second)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
			s.op.Live(10*time.Minute, second, first)
			Expect(s.people()).To(HaveLen(1))
			Expect([]testenv.Outcome{s.Outcome(first), s.Outcome(second)}).To(ConsistOf(
				testenv.Ready(v1alpha1.ReasonSucceeded), testenv.Stalled(v1alpha1.ReasonUserIDConflict)))
		},
		Entry("before it was done", "before", "0s"),
		Entry("after it was done", "after", "0s"),
		Entry("after it was done, with a late listing", "after", "110s"),
	)

	It("have one user when the first is deleted while its creation is open", func() {
		s := newScene(testenv.Config{})
		first, second := twins(s)
		s.Smile.Break(sandbox.Fault{Operation: "create-user", Phase: "after", Action: "reset"})
		s.op.Run(first)
		s.Delete(first)
		s.op.Run(first)
		s.op.Live(10*time.Minute, second)
		Expect(s.Outcome(second)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.people()).To(Equal([]string{second.Status.UserID}))
	})
})

var _ = Describe("A person with more than one user at Smile", func() {
	It("keeps the one with accounts, else the oldest, and counts the others", func() {
		s := newScene(testenv.Config{})
		user := s.provisioned(testenv.UserName)
		marker := s.Smile.People(testenv.One)[0].ExternalMetadata
		s.Pass(time.Second)
		linked := s.Smile.NewUser(testenv.One, marker)
		s.Smile.LinkGeorge(linked.ID, "sss_ph")

		s.op = s.Operator()
		s.op.Run(user)
		Expect(user.Status.UserID).NotTo(Equal(linked.ID), "a user ID that is set never changes")

		s.ChangeStatus(user, func() { user.Status = v1alpha1.SmileUserStatus{} })
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(user.Status.UserID).To(Equal(linked.ID))
		Expect(s.op.Reasons(user)).To(ContainElement(v1alpha1.ReasonDuplicateRemoteUser))

		account := s.Smile.LinkGeorge(s.people()[0], "sss_ph")
		Expect(account.UserID).NotTo(Equal(linked.ID))
		s.Pass(time.Minute)
		s.ChangeStatus(user, func() { user.Status = v1alpha1.SmileUserStatus{} })
		s.op = s.Operator()
		s.op.Run(user)
		Expect(user.Status.UserID).To(Equal(s.people()[0]), "if both have accounts, the oldest is used")
		Expect(s.posts()).To(Equal(1))
	})
})

var _ = Describe("A user that is adopted by its id", func() {
	permit := func(s *scene) {
		GinkgoHelper()
		keys, _ := s.Secret(testenv.KeysName)
		s.Annotate(keys, v1alpha1.AnnotationAllowAdoption, "true")
		s.op.Run(s.conn)
	}

	It("requires an annotation of the Secret, and is attached as soon as that exists", func() {
		s := newScene(testenv.Config{})
		foreign := s.Smile.NewUser(testenv.One, map[string]string{"crm": "1"})
		user := s.user(testenv.UserName, testenv.WithUserID(foreign.ID), testenv.WithToken(testenv.TokenName))
		Expect(s.op.Run(user)).To(Equal(time.Minute))
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonUserNotOwned)))
		Expect(user.Status.UserID).To(BeEmpty())
		_, ok := s.Secret(testenv.TokenName)
		Expect(ok).To(BeFalse())
		s.op.Quiet(user)

		permit(s)
		s.op.Live(time.Minute, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(user.Status.UserID).To(Equal(foreign.ID))
		Expect(user.Status.CreatedAt.Time).To(BeTemporally("==", foreign.CreatedAt.Time))
		_, ok = s.Secret(testenv.TokenName)
		Expect(ok).To(BeTrue())
		Expect(s.posts()).To(BeZero())
	})

	It("that does not exist is reported, not created", func() {
		s := newScene(testenv.Config{})
		permit(s)
		user := s.user(testenv.UserName, testenv.WithUserID("tenant-00000000000000000000000000000000"))
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonRemoteUserMissing)))
		s.op.Quiet(user)
		s.op.Live(time.Hour, user)
		Expect(s.posts()).To(BeZero())
	})

	for _, restart := range []bool{false, true} {
		process := map[bool]string{false: "in the same process", true: "in a new process"}[restart]
		It("that belongs to another object stays with it, "+process, func() {
			s := newScene(testenv.Config{})
			permit(s)
			owner := s.provisioned("owner")
			thief := s.user("thief", testenv.WithUserID(owner.Status.UserID), testenv.WithToken("thief-token"))
			if restart {
				s.op = s.Operator()
			}
			s.op.Run(thief)
			Expect(s.Outcome(thief)).To(Equal(testenv.Stalled(v1alpha1.ReasonUserIDConflict)))
			s.op.Quiet(thief)
			_, ok := s.Secret("thief-token")
			Expect(ok).To(BeFalse())

			s.Delete(owner)
			s.op.Live(2*time.Minute, thief)
			Expect(s.Outcome(thief)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)), "no object names it any more")
		})
	}
})
