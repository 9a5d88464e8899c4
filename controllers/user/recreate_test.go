package user_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// No garbage collector runs here: a test must delete what it would delete.
var _ = Describe("The token Secret of a predecessor", func() {
	var (
		s        *scene
		original *v1alpha1.SmileUser
	)

	token := func() *corev1.Secret {
		GinkgoHelper()
		secret, ok := s.Secret(testenv.TokenName)
		Expect(ok).To(BeTrue())
		return secret
	}
	minted := func() int { return s.Smile.Calls(0, "create-token") }
	// recreated deletes the user and creates it again, with another UID.
	recreated := func() *v1alpha1.SmileUser {
		GinkgoHelper()
		s.Delete(original)
		user := s.user(testenv.UserName, testenv.WithToken(testenv.TokenName))
		Expect(user.UID).NotTo(Equal(original.UID))
		return user
	}
	// restored restores the Secret from a backup without owner references.
	restored := func(secret *corev1.Secret) {
		GinkgoHelper()
		s.Create(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: secret.Name, Annotations: secret.Annotations}, Data: secret.Data,
		})
	}

	BeforeEach(func() {
		s = newScene(testenv.Config{})
		original = s.provisioned(testenv.UserName, testenv.WithToken(testenv.TokenName))
	})

	It("is waited for until the garbage collector has removed it, within seconds", func() {
		before := token()
		user := recreated()
		Expect(s.op.Run(user)).To(Equal(3 * time.Second))
		Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		Expect(s.Condition(user, v1alpha1.ConditionTokenIssued)).To(Equal("False/Progressing"))
		Expect(s.Message(user)).To(ContainSubstring("garbage collector"))
		s.op.Quiet(user)
		s.op.Live(time.Minute, user)
		Expect(token()).To(Equal(before))
		Expect(minted()).To(BeZero())

		s.Delete(before)
		s.op.Live(5*time.Minute, user) // the person's last token may be that young
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(metav1.IsControlledBy(token(), user)).To(BeTrue())
		Expect(s.people()).To(HaveLen(1))
	})

	It("is taken back when it was orphaned", func() {
		secret := token()
		s.Change(secret, func() { secret.OwnerReferences = nil })
		user := recreated()
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(token().UID).To(Equal(secret.UID))
		Expect(metav1.IsControlledBy(token(), user)).To(BeTrue())
		Expect(token().Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationOwner, string(user.UID)))
		Expect(s.op.Reasons(user)).To(ContainElement(v1alpha1.ReasonOutputTakenBack))
		s.op.Quiet(user)
	})

	It("is taken back when a cluster is restored with new UIDs", func() {
		backup := token()
		s.Delete(backup)
		s.Delete(original)
		restored(backup)
		user := s.provisioned(testenv.UserName, testenv.WithToken(testenv.TokenName))
		Expect(metav1.IsControlledBy(token(), user)).To(BeTrue())
		Expect(s.op.Reasons(user)).To(ContainElement(v1alpha1.ReasonOutputTakenBack))
		Expect(s.people()).To(HaveLen(1))
		Expect(user.Status.UserID).To(Equal(original.Status.UserID))
	})

	It("stays unchanged if it has keys that are not the operator's", func() {
		secret := token()
		s.Change(secret, func() {
			secret.OwnerReferences = nil
			secret.Data["password"] = []byte("of somebody")
		})
		user := recreated()
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputConflict)))
		s.op.Quiet(user)
		Expect(token()).To(Equal(secret))
		Expect(s.op.Reasons(user)).To(ContainElement(v1alpha1.ReasonOutputConflict))
		Expect(minted()).To(BeZero())
	})

	It("stays unchanged while its owner exists under another name", func() {
		secret := token()
		s.Change(secret, func() { secret.OwnerReferences = nil })
		other := s.user("other", testenv.WithToken(testenv.TokenName))
		s.op.Run(other)
		Expect(s.Outcome(other)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputConflict)))
		Expect(token()).To(Equal(secret))
		Expect(minted()).To(BeZero())
	})
})
