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

var _ = Describe("A link token", func() {
	var (
		s    *scene
		user *v1alpha1.SmileUser
	)

	token := func() *corev1.Secret {
		GinkgoHelper()
		secret, ok := s.Secret(testenv.TokenName)
		Expect(ok).To(BeTrue())
		return secret
	}
	minted := func() int { return s.Smile.Calls(0, "create-token") }

	BeforeEach(func() {
		s = newScene(testenv.Config{})
		user = s.provisioned(testenv.UserName, testenv.WithToken(testenv.TokenName))
	})

	It("that came with a new user is stored, with everything that belongs to it", func() {
		Expect(minted()).To(BeZero())
		Expect(s.Condition(user, v1alpha1.ConditionTokenIssued)).To(Equal("True/Succeeded"))
		held, secret := user.Status.LinkToken, token()
		Expect(secret.Type).To(Equal(corev1.SecretTypeOpaque))
		Expect(metav1.IsControlledBy(secret, user)).To(BeTrue())
		Expect(secret.Data).To(HaveLen(4))
		Expect(string(secret.Data["accessToken"])).To(ContainSubstring("smile."))
		Expect(string(secret.Data["userId"])).To(Equal(user.Status.UserID))
		Expect(string(secret.Data["mode"])).To(Equal("SANDBOX"))
		Expect(string(secret.Data["expiresAt"])).To(Equal(held.ExpiresAt.UTC().Format(time.RFC3339)))

		Expect(held.SecretName).To(Equal(testenv.TokenName))
		Expect(held.IssuedAt.Time).To(BeTemporally("==", s.Clock.Now()))
		Expect(held.ExpiresAt.Sub(held.IssuedAt.Time)).To(Equal(5 * time.Hour))
		Expect(held.RenewAt.Sub(held.IssuedAt.Time)).To(And(
			BeNumerically(">=", 135*time.Minute), BeNumerically("<=", 150*time.Minute)), "half of its life, minus up to a tenth")
		s.op.Quiet(user)
	})

	It("is renewed at the time that was computed when it was issued, and not before", func() {
		first, before := user.Status.LinkToken.DeepCopy(), token().Data
		s.Clock.SetTime(first.RenewAt.Add(-time.Second))
		s.op.Run(user)
		Expect(user.Status.LinkToken).To(Equal(first))
		Expect(minted()).To(BeZero())

		s.op = s.Operator()
		s.op.Live(time.Second, user)
		Expect(minted()).To(Equal(1))
		Expect(user.Status.LinkToken.IssuedAt.Time).To(BeTemporally("==", first.RenewAt.Time))
		Expect(token().Data).NotTo(Equal(before))
		s.op.Quiet(user)
	})

	It("never expires within the next hour, during half a day", func() {
		end := s.Clock.Now().Add(12 * time.Hour)
		for s.Clock.Now().Before(end) {
			s.op.Live(30*time.Minute, user)
			Expect(user.Status.LinkToken.ExpiresAt.Sub(s.Clock.Now())).To(BeNumerically(">=", time.Hour))
		}
		Expect(minted()).To(And(BeNumerically(">=", 4), BeNumerically("<=", 6)))
	})

	It("is minted again when its Secret is deleted, but not every minute", func() {
		s.Delete(token())
		s.op.Live(4*time.Minute, user)
		Expect(minted()).To(BeZero(), "the last token is younger than 5 minutes")
		Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		Expect(s.Condition(user, v1alpha1.ConditionTokenIssued)).To(Equal("False/Progressing"))
		s.op.Quiet(user)
		s.op.Live(2*time.Minute, user)
		Expect(minted()).To(Equal(1))
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(string(token().Data["expiresAt"])).To(Equal(user.Status.LinkToken.ExpiresAt.UTC().Format(time.RFC3339)))

		for range 5 {
			s.Delete(token())
			s.op.Live(time.Minute, user)
			if _, ok := s.Secret(testenv.TokenName); ok {
				break
			}
			s.op.Live(5*time.Minute, user)
		}
		Expect(minted()).To(BeNumerically("<=", 6))
	})

	for what, edit := range map[string]func(*corev1.Secret){
		"replaced":            func(secret *corev1.Secret) { secret.Data = map[string][]byte{"accessToken": []byte("mine")} },
		"stripped of the id":  func(secret *corev1.Secret) { delete(secret.Data, "userId") },
		"given another token": func(secret *corev1.Secret) { secret.Data["accessToken"] = []byte("mine") },
		"given another mode":  func(secret *corev1.Secret) { secret.Data["mode"] = []byte("PRODUCTION") },
	} {
		It("is not Ready while its Secret is "+what+", and is minted again", func() {
			secret := token()
			s.Change(secret, func() { edit(secret) })
			s.op.Run(user)
			Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
			s.op.Live(6*time.Minute, user)
			Expect(minted()).To(Equal(1))
			Expect(token().Data).To(HaveLen(4))
			Expect(string(token().Data["userId"])).To(Equal(user.Status.UserID))
			Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		})
	}

	for what, edit := range map[string]func(*corev1.Secret){
		"stripped of its owner":                   func(secret *corev1.Secret) { secret.OwnerReferences = nil },
		"stripped of the annotation of its owner": func(secret *corev1.Secret) { secret.Annotations = nil },
	} {
		It("is repaired without a call when its Secret is "+what, func() {
			secret, before := token(), token()
			s.Change(secret, func() { edit(secret) })
			mark := s.Smile.Mark()
			s.op.Run(user)
			Expect(s.Smile.Calls(mark)).To(BeZero())
			repaired := token()
			Expect(repaired.Data).To(Equal(before.Data))
			Expect(metav1.IsControlledBy(repaired, user)).To(BeTrue())
			Expect(repaired.Annotations).To(Equal(before.Annotations))
			Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			s.op.Quiet(user)
		})
	}

	It("is written even if somebody made the Secret immutable", func() {
		secret := token()
		s.Change(secret, func() { secret.Immutable = new(true) })
		s.op.Live(3*time.Hour, user)
		Expect(minted()).To(Equal(1))
		Expect(string(token().Data["expiresAt"])).To(Equal(user.Status.LinkToken.ExpiresAt.UTC().Format(time.RFC3339)))
	})

	It("whose Secret another object claims is not Ready", func() {
		secret := token()
		s.Change(secret, func() {
			secret.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "other", UID: "other", Controller: new(true)}}
		})
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputConflict)))
		s.op.Quiet(user)
		Expect(minted()).To(BeZero())
	})

	It("of a status without a fingerprint is accepted as it is", func() {
		s.ChangeStatus(user, func() { user.Status.LinkToken.Fingerprint = "" })
		s.op.Run(user)
		Expect(minted()).To(BeZero())
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("moves with its Secret's name, and is deleted when the spec no longer asks for it", func() {
		s.Change(user, func() { user.Spec.LinkToken.SecretName = "elsewhere" })
		s.op.Run(user)
		_, ok := s.Secret(testenv.TokenName)
		Expect(ok).To(BeFalse())
		secret, ok := s.Secret("elsewhere")
		Expect(ok).To(BeTrue())
		Expect(metav1.IsControlledBy(secret, user)).To(BeTrue())

		s.Change(user, func() { user.Spec.LinkToken = nil })
		s.op.Run(user)
		_, ok = s.Secret("elsewhere")
		Expect(ok).To(BeFalse())
		Expect(s.Condition(user, v1alpha1.ConditionTokenIssued)).To(BeEmpty())
		Expect(user.Status.LinkToken).To(BeNil())
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("never changes a Secret of another owner, and is not minted for it", func() {
		foreign := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "tls", Labels: map[string]string{"app": "shop"}},
			Type:       corev1.SecretTypeTLS,
			Data:       map[string][]byte{"tls.crt": []byte("certificate"), "tls.key": []byte("key")},
		}
		s.Create(foreign)
		before := foreign.DeepCopy()
		other := s.provisioned("other")
		mark := s.Smile.Mark()
		s.Change(other, func() { other.Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: "tls"} })
		s.op.Run(other)
		Expect(s.Outcome(other)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputConflict)))
		Expect(s.Condition(other, v1alpha1.ConditionTokenIssued)).To(Equal("False/OutputConflict"))
		s.op.Quiet(other)
		s.Change(other, func() { other.Spec.LinkToken = nil })
		s.op.Run(other)
		s.Get(foreign)
		Expect(foreign).To(Equal(before))
		Expect(s.Smile.Calls(mark)).To(BeZero())
	})

	It("of another SmileUser belongs to another owner", func() {
		other := s.user("other", testenv.WithToken(testenv.TokenName))
		before := token()
		s.op.Run(other)
		Expect(s.Outcome(other)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputConflict)))
		Expect(token()).To(Equal(before))
	})

	It("stays while Smile cannot mint, which is reported after the third time, and is minted once when it can", func() {
		before := token()
		s.Clock.SetTime(user.Status.LinkToken.RenewAt.Time)
		s.Smile.Break(sandbox.Fault{Operation: "create-token", Count: -1, Action: "status:503"})
		s.op.Fail(user, 2)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.op.Fail(user, 1)
		Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonSmileUnavailable)))
		Expect(s.Condition(user, v1alpha1.ConditionTokenIssued)).To(Equal("False/SmileUnavailable"))
		s.op.Quiet(user)
		Expect(token()).To(Equal(before))

		s.Smile.ClearFaults()
		failed := minted()
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(minted()).To(Equal(failed + 1))
	})

	It("that Smile forbids is a problem of this object only", func() {
		s.Clock.SetTime(user.Status.LinkToken.RenewAt.Time)
		s.Smile.Break(sandbox.Fault{Operation: "create-token", Count: -1, Action: "status:403"})
		Expect(s.op.Run(user)).To(Equal(15 * time.Minute))
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonAccessForbidden)))
		s.op.Quiet(user)
		s.op.Run(s.conn)
		Expect(s.Outcome(s.conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		another := s.provisioned("another")
		Expect(another.Status.UserID).NotTo(BeEmpty())
	})

	It("of a user that no longer exists at Smile is not minted, and the user is not re-created", func() {
		s.Clock.SetTime(user.Status.LinkToken.RenewAt.Time)
		s.Smile.Reset()
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonRemoteUserMissing)))
		s.op.Quiet(user)
		s.op = s.Operator()
		s.op.Live(time.Hour, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonRemoteUserMissing)))
		Expect(s.people()).To(BeEmpty())
	})
})
