package webhook_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("The Secret of a predecessor's pairs", func() {
	retained := func(sub *v1alpha1.SmileWebhookSubscription) {
		sub.GenerateName, sub.Name = "", "events"
		sub.Spec.DeletionPolicy = v1alpha1.WebhookRetain
	}
	var (
		s      *scene
		secret *corev1.Secret
	)

	BeforeEach(func() {
		s = newScene(sandbox.Options{})
		sub := s.registered(retained)
		secret = s.store(sub)
		s.Delete(sub)
		Expect(s.Exists(sub)).To(BeFalse())
	})

	It("is waited for until the garbage collector has removed it", func() {
		sub := s.subscription(retained)
		Expect(s.op.Run(sub)).To(Equal(3 * time.Second))
		Expect(s.Outcome(sub)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		s.op.Quiet(sub)
		Expect(s.creates()).To(Equal(1))
		s.Delete(secret)
		s.op.Live(5*time.Second, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(metav1.IsControlledBy(s.store(sub), sub)).To(BeTrue())
	})

	It("is taken back when it was orphaned, and its generated secret stays in use", func() {
		s.Change(secret, func() { secret.OwnerReferences = nil })
		sub := s.registered(retained)
		held := s.store(sub)
		Expect(metav1.IsControlledBy(held, sub)).To(BeTrue())
		Expect(held.Data[hook.KeySecret]).To(Equal(secret.Data[hook.KeySecret]))
		Expect(s.op.Reasons(sub)).To(ContainElement(v1alpha1.ReasonOutputTakenBack))
		s.op.Quiet(sub)
	})

	It("stays unchanged if it has keys that are not the operator's", func() {
		s.Change(secret, func() {
			secret.OwnerReferences = nil
			secret.Data["password"] = []byte("of somebody")
		})
		sub := s.subscription(retained)
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputConflict)))
		Expect(s.store(sub)).To(Equal(secret))
		Expect(s.creates()).To(Equal(1))
	})
})
