package user_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// existing makes a user at Smile that an earlier version of the operator created under a business key.
func (s *scene) existing(businessKey string) sandbox.User {
	GinkgoHelper()
	stored, ok := s.Secret(output.IdentitySecret)
	Expect(ok).To(BeTrue())
	key, err := identity.ParseKey(stored.Data["key"])
	Expect(err).NotTo(HaveOccurred())
	marker := identity.Marker{
		UID:    "of-an-object-that-is-gone",
		Digest: key.Digest(identity.Subject{Mode: v1alpha1.ModeSandbox, Scope: s.Namespace, Name: businessKey}),
	}
	return s.Smile.NewUser(testenv.One, map[string]string{v1alpha1.MetadataOwner: marker.String()})
}

var _ = Describe("A business key that looks like another", func() {
	const looksPlain = "12345\n"
	george := testenv.WithSubject("customers", "george")
	refused := func(s *scene, user *v1alpha1.SmileUser) {
		GinkgoHelper()
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonSecretInvalid)))
		Expect(s.Condition(user, v1alpha1.ConditionProvisioned)).To(Equal("False/SecretInvalid"))
		Expect(s.posts()).To(BeZero())
	}

	It("creates no user until it is corrected, and never a second one", func() {
		s := newScene(testenv.Config{})
		s.Create(customers(map[string]string{"george": looksPlain}))
		user := s.user(testenv.UserName, george)
		next := s.op.Run(user)
		refused(s, user)
		Expect(s.Message(user)).To(And(ContainSubstring("spec.subjectFrom"), ContainSubstring(`"george"`), ContainSubstring("line break")))
		Expect(next).To(Equal(30*time.Second), "Secrets are not watched")
		s.op.Quiet(user)
		s.op = s.Operator()
		s.op.Run(s.conn)
		s.op.Quiet(user)

		// The subject is not kept for an object that was refused.
		other := s.user("other", george)
		s.op.Run(other)
		refused(s, other)

		secret, _ := s.Secret("customers")
		s.Change(secret, func() { secret.StringData = map[string]string{"george": "12345"} })
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.posts()).To(Equal(1))
	})

	for _, never := range []bool{false, true} {
		policy := map[bool]v1alpha1.AdoptionPolicy{false: v1alpha1.AdoptionOwned, true: v1alpha1.AdoptionNever}[never]
		It("creates no user with the adoption policy "+string(policy), func() {
			s := newScene(testenv.Config{})
			s.Create(customers(map[string]string{"george": looksPlain}))
			user := s.user(testenv.UserName, george, func(u *v1alpha1.SmileUser) { u.Spec.AdoptionPolicy = policy })
			s.op.Run(user)
			refused(s, user)
		})
	}

	It("still finds an existing user", func() {
		s := newScene(testenv.Config{})
		before := s.existing(looksPlain)
		s.Create(customers(map[string]string{"george": looksPlain}))
		user := s.provisioned(testenv.UserName, george)
		Expect(user.Status.UserID).To(Equal(before.ID))
		Expect(s.posts()).To(BeZero())
	})

	It("is not refused while an earlier attempt may have created the user", func() {
		s := lagging("110s")
		s.Create(customers(map[string]string{"george": looksPlain}))
		user := s.user(testenv.UserName, george)
		before := s.existing(looksPlain)
		s.ChangeStatus(user, func() {
			user.Status.CreateAttempt = &v1alpha1.CreateAttempt{ID: "of-an-earlier-version", StartedAt: metav1.NewTime(s.Clock.Now())}
		})
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonCreateOutcomeUnknown)))
		s.op.Live(settled, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(user.Status.UserID).To(Equal(before.ID))
		Expect(s.posts()).To(BeZero())
	})

	It("is refused once it is certain that an earlier attempt created no user", func() {
		s := newScene(testenv.Config{})
		s.Create(customers(map[string]string{"george": looksPlain}))
		user := s.user(testenv.UserName, george)
		s.ChangeStatus(user, func() {
			user.Status.CreateAttempt = &v1alpha1.CreateAttempt{ID: "of-an-earlier-version", StartedAt: metav1.NewTime(s.Clock.Now())}
		})
		s.op.Live(settled, user)
		refused(s, user)
		Expect(user.Status.CreateAttempt).To(BeNil())
	})

	It("is not refused while the previous leader may have created the user", func() {
		s := lagging("110s")
		before := s.existing(looksPlain)
		s.Create(customers(map[string]string{"george": looksPlain}))
		s.loseLog()
		s.op = s.Operator()
		user := s.user(testenv.UserName, george)
		s.op.Run(s.conn, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		s.op.Live(settled, user)
		Expect(user.Status.UserID).To(Equal(before.ID))
		Expect(s.posts()).To(BeZero())
	})
})

var _ = Describe("A literal business key", func() {
	literal := func(u *v1alpha1.SmileUser) { u.Spec.Subject = "CNRY-42" }

	It("is the same person as the value of a Secret", func() {
		s := newScene(testenv.Config{})
		s.Create(customers(map[string]string{"george": "CNRY-42"}))
		first := s.provisioned(testenv.UserName, testenv.WithSubject("customers", "george"))
		s.Delete(first)
		s.op.Run(first)
		second := s.provisioned("renamed", literal)
		Expect(second.Status.UserID).To(Equal(first.Status.UserID))
		Expect(s.posts()).To(Equal(1))
	})

	It("belongs to one object", func() {
		s := newScene(testenv.Config{})
		s.provisioned(testenv.UserName, literal)
		other := s.user("other", literal)
		s.op.Run(other)
		Expect(s.Outcome(other)).To(Equal(testenv.Stalled(v1alpha1.ReasonUserIDConflict)))
		Expect(s.posts()).To(Equal(1))
	})
})
