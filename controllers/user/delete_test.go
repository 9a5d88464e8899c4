package user_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("Deleting a SmileUser", func() {
	// linked is a person with two accounts.
	linked := func(s *scene, changes ...func(*v1alpha1.SmileUser)) *v1alpha1.SmileUser {
		GinkgoHelper()
		user := s.provisioned(testenv.UserName, changes...)
		s.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
		s.Smile.LinkGeorge(user.Status.UserID, "upwork")
		return user
	}
	revoked := func(s *scene) int { return s.Smile.Calls(0, "delete-account", "delete-archive") }

	It("with Retain changes nothing at Smile, and waits for nothing", func() {
		s := newScene(testenv.Config{})
		user := linked(s)
		Expect(user.Finalizers).To(BeEmpty())
		before := s.Smile.Mark()
		s.Delete(user)
		s.op.Run(user)
		Expect(s.Exists(user)).To(BeFalse())
		Expect(s.Smile.Calls(before)).To(BeZero())
	})

	It("with RevokeAccounts revokes every account of this person, and no other", func() {
		s := newScene(testenv.Config{})
		user := linked(s, testenv.Revoking)
		Expect(user.Finalizers).To(Equal([]string{v1alpha1.FinalizerRevoke}))
		bystander := s.provisioned("bystander")
		kept := s.Smile.LinkGeorge(bystander.Status.UserID, "sss_ph")

		s.Delete(user)
		s.op.Run(user)
		Expect(s.Exists(user)).To(BeFalse())
		Expect(revoked(s)).To(Equal(2))
		s.op.Live(20*time.Minute, bystander)
		Expect(bystander.Status.Accounts.Connected).To(BeEquivalentTo(1))
		Expect(kept.ConnectionStatus).To(BeEquivalentTo("CONNECTED"))
	})

	It("records each revoke in the audit log, also one whose result is unknown", func() {
		s := newScene(testenv.Config{})
		user := linked(s, testenv.Revoking)
		s.Delete(user)
		s.Smile.Break(sandbox.Fault{Operation: "delete-account", Nth: 1, Count: 1, Phase: "after", Action: "reset"})
		s.op.Fail(user, 1)
		s.op.Run(user)
		Expect(s.Exists(user)).To(BeFalse())
		records := s.op.Audit(user)
		Expect(records).To(HaveLen(2))
		Expect(records[0].Account).NotTo(Equal(records[1].Account))
		for i, outcome := range []auditlog.Outcome{auditlog.OutcomeUnknown, auditlog.OutcomeSucceeded} {
			record := records[i]
			Expect(record.Account).To(HaveLen(22))
			record.Account = ""
			Expect(record).To(Equal(auditlog.Record{
				Time: s.Clock.Now(), Actor: "SmileUser", Object: auditlog.ObjectOf("SmileUser", user),
				Action: auditlog.ActionRevoked, Reason: auditlog.ReasonObjectDeleted, Outcome: outcome,
			}))
		}
	})

	It("adds the finalizer before the first call is made for the object", func() {
		s := newScene(testenv.Config{})
		user := s.user(testenv.UserName, testenv.Revoking)
		s.op.Fence = func() error {
			s.Get(user)
			Expect(user.Finalizers).To(Equal([]string{v1alpha1.FinalizerRevoke}))
			return nil
		}
		s.op.Run(user)
		Expect(s.posts()).To(Equal(1))
	})

	It("follows the policy at the time of the deletion", func() {
		s := newScene(testenv.Config{})
		user := linked(s)
		s.Change(user, func() { testenv.Revoking(user) })
		s.op.Run(user)
		Expect(user.Finalizers).To(Equal([]string{v1alpha1.FinalizerRevoke}))
		s.Change(user, func() { user.Spec.DeletionPolicy = v1alpha1.UserRetain })
		s.op.Run(user)
		Expect(user.Finalizers).To(BeEmpty())
		s.Change(user, func() { testenv.Revoking(user) })
		s.op.Run(user)
		s.Delete(user)
		s.Change(user, func() { user.Spec.DeletionPolicy = v1alpha1.UserRetain })
		s.op.Run(user)
		Expect(s.Exists(user)).To(BeFalse())
		Expect(revoked(s)).To(BeZero())
	})

	It("works while the user is suspended", func() {
		s := newScene(testenv.Config{})
		user := linked(s, testenv.Revoking)
		s.Change(user, func() { user.Spec.Suspend = true })
		s.op.Run(user)
		s.Delete(user)
		s.op.Run(user)
		Expect(s.Exists(user)).To(BeFalse())
		Expect(revoked(s)).To(Equal(2))
	})

	It("requires nothing if the user was never created", func() {
		w := testenv.New(GinkgoTB(), testenv.Config{})
		op, user := w.Operator(), testenv.User(testenv.UserName, testenv.Revoking)
		w.Create(user)
		op.Run(user)
		Expect(user.Finalizers).NotTo(BeEmpty())
		w.Delete(user)
		op.Run(user)
		Expect(w.Exists(user)).To(BeFalse())
	})

	DescribeTable("is blocked, and reports that, while Smile cannot revoke, and completes when it can",
		func(action string) {
			s := newScene(testenv.Config{})
			user := linked(s, testenv.Revoking)
			s.Delete(user)
			s.Smile.Break(sandbox.Fault{Operation: "*", Count: -1, Action: action})
			_, _ = s.op.Reconcile(user)
			Expect(s.Outcome(user)).To(Equal(testenv.Terminating(v1alpha1.ReasonDeletionBlocked)))
			Expect(s.Message(user)).To(ContainSubstring(v1alpha1.AnnotationForceOrphan))
			s.op.Quiet(user)
			before := s.Smile.Mark()
			s.op.Live(20*time.Minute, user)
			Expect(s.Exists(user)).To(BeTrue())
			Expect(s.Smile.Calls(before)).To(BeNumerically("<=", 32), "with backoff")

			s.Smile.ClearFaults()
			s.op.Live(20*time.Minute, s.conn, user)
			Expect(s.Exists(user)).To(BeFalse())
			Expect(revoked(s)).To(BeNumerically(">=", 2))
		},
		Entry("because it is down", "status:503"),
		Entry("because it answers with pages", "garbage"),
		Entry("because it refuses the key pair", "status:401"),
	)

	It("continues where it stopped", func() {
		s := newScene(testenv.Config{})
		user := linked(s, testenv.Revoking)
		s.Delete(user)
		s.Smile.Break(sandbox.Fault{Operation: "delete-account", Nth: 2, Phase: "after", Action: "reset"})
		s.op.Fail(user, 1)
		Expect(s.Outcome(user)).To(Equal(testenv.Terminating(v1alpha1.ReasonDeletionBlocked)))
		s.op.Run(user)
		Expect(s.Exists(user)).To(BeFalse())
		Expect(revoked(s)).To(Equal(2))
	})

	It("is not done by a process that may not be the leader", func() {
		s := newScene(testenv.Config{})
		user := linked(s, testenv.Revoking)
		s.Delete(user)
		s.op.Fence = func() error { return errKilled }
		s.op.Fail(user, 1)
		Expect(s.Exists(user)).To(BeTrue())
		Expect(revoked(s)).To(BeZero())
	})

	It("still has the keys if their Secret was deleted first", func() {
		s := newScene(testenv.Config{})
		user := linked(s, testenv.Revoking)
		keys, _ := s.Secret(testenv.KeysName)
		s.Delete(keys)
		s.op.Run(s.conn)
		s.Delete(user)
		s.op.Run(user)
		Expect(s.Exists(user)).To(BeFalse())
		Expect(revoked(s)).To(Equal(2))
	})

	It("still has the keys if the connection was deleted first", func() {
		s := newScene(testenv.Config{})
		user := linked(s, testenv.Revoking)
		s.Delete(s.conn)
		s.op.Run(s.conn)
		s.Delete(user)
		s.op.Run(user)
		Expect(s.Exists(user)).To(BeFalse())
		Expect(revoked(s)).To(Equal(2))
	})

	It("is blocked in a process that never had the keys, until they exist again", func() {
		s := newScene(testenv.Config{})
		user := linked(s, testenv.Revoking)
		keys, _ := s.Secret(testenv.KeysName)
		s.Delete(keys)
		s.op.Run(s.conn)
		s.Delete(user)
		s.op = s.Operator()
		s.op.Fail(user, 1)
		Expect(s.Outcome(user)).To(Equal(testenv.Terminating(v1alpha1.ReasonDeletionBlocked)))
		s.op.Quiet(user)

		s.Create(testenv.Keys(testenv.KeysName, testenv.One))
		s.op.Live(10*time.Minute, s.conn, user)
		Expect(s.Exists(user)).To(BeFalse())
		Expect(revoked(s)).To(Equal(2))
	})

	It("can be forced by the UID of the object", func() {
		s := newScene(testenv.Config{})
		user := linked(s, testenv.Revoking)
		s.Smile.Shutdown()
		s.Delete(user)
		s.op.Fail(user, 1)
		for _, wrong := range []string{"true", "", string(s.conn.UID)} {
			s.Annotate(user, v1alpha1.AnnotationForceOrphan, wrong)
			s.op.Fail(user, 1)
		}
		s.Annotate(user, v1alpha1.AnnotationForceOrphan, string(user.UID))
		s.op.Run(user)
		Expect(s.Exists(user)).To(BeFalse())
		Expect(s.op.Reasons(user)).To(ContainElements(v1alpha1.ReasonDeletionBlocked, v1alpha1.ReasonOrphaned))
	})

	DescribeTable("settles an interrupted creation, and revokes the accounts of its user",
		func(phase string, users int) {
			s := newScene(testenv.Config{})
			user := s.user(testenv.UserName, testenv.Revoking)
			s.Smile.Break(sandbox.Fault{Operation: "create-user", Phase: phase, Action: "reset"})
			s.op.Run(user)
			for _, id := range s.people() {
				s.Smile.LinkGeorge(id, "sss_ph")
			}
			s.Delete(user)
			s.op.Run(user)
			Expect(s.Outcome(user)).To(Equal(testenv.Terminating(v1alpha1.ReasonDeletionBlocked)))
			s.op.Quiet(user)
			s.op.Live(settled, user)
			Expect(s.Exists(user)).To(BeFalse())
			Expect(s.people()).To(HaveLen(users))
			Expect(revoked(s)).To(Equal(users))
			Expect(s.posts()).To(Equal(1))
		},
		Entry("before it was done", "before", 0),
		Entry("after it was done", "after", 1),
	)
})
