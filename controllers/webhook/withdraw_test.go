package webhook_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("Removing a host from the list", func() {
	const application = "https://app.example.com/smile"
	// takeOff starts another process, without the host of the application.
	takeOff := func(s *scene) {
		GinkgoHelper()
		s.hosts[0] = "other.example.com"
		s.restart()
	}

	DescribeTable("stops events to it", func(url string, outcome testenv.Outcome) {
		s := newScene(sandbox.Options{})
		sub := s.registered(to("https://app.example.com/smile"))
		s.Change(sub, func() { sub.Spec.URL = url })
		s.hosts[0] = "other.example.com"
		s.restart()
		s.Smile.Break(sandbox.Fault{Operation: "create-webhook", Count: -1, Action: "status:400"})
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(outcome))
		Expect(s.webhooks()).To(BeEmpty())
		Expect(sub.Status.URL).To(BeEmpty())
	},
		Entry("which the spec still names", "https://app.example.com/smile", testenv.Stalled(v1alpha1.ReasonWebhookURLNotAllowed)),
		Entry("although nothing replaces it", "https://other.example.com/smile", testenv.Stalled(v1alpha1.ReasonInvalidSpec)),
		Entry("though the operator's receiver is to take its place", "", testenv.Stalled(v1alpha1.ReasonInvalidSpec)),
	)

	It("stops events to it while the object is suspended, as soon as Smile can be called", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered(to("https://app.example.com/smile"))
		s.Change(sub, func() { sub.Spec.Suspend = true })
		s.op.Run(sub)
		s.op.Quiet(sub)
		s.hosts[0] = "other.example.com"
		s.restart()
		s.Smile.Break(sandbox.Fault{Operation: "delete-webhook", Count: -1, Action: "status:503"})
		_, err := s.op.Reconcile(sub)
		Expect(err).To(HaveOccurred(), "so that it is tried again")
		Expect(s.webhooks()).To(HaveLen(1))
		s.Smile.ClearFaults()
		s.op.Run(sub)
		Expect(s.webhooks()).To(BeEmpty())
		s.op.Quiet(sub)
	})

	It("stops events to it even if the operator has no receiver", func() {
		s := newSceneAt("", sandbox.Options{})
		sub := s.registered(to("https://app.example.com/smile"))
		s.Change(sub, func() { sub.Spec.URL = "" })
		s.hosts[0] = "other.example.com"
		s.restart()
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonReceiverNotConfigured)))
		Expect(s.webhooks()).To(BeEmpty())
	})

	DescribeTable("stops events to it if", func(before func(*scene, *v1alpha1.SmileWebhookSubscription), after ...sandbox.Fault) {
		s := newScene(sandbox.Options{})
		sub := s.registered(to(application))
		before(s, sub)
		takeOff(s)
		s.Smile.Break(after...)
		s.op.Live(soon, sub, s.conn)
		s.Smile.ClearFaults()
		Expect(s.webhooks()).NotTo(ContainElement(HaveField("URL", application)))
		Expect(sub.Status.URL).NotTo(Equal(application))
	},
		Entry("another URL was set while the object is suspended", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			s.Change(sub, func() { sub.Spec.URL = "" })
			s.op.Run(sub)
			s.Change(sub, func() { sub.Spec.Suspend = true })
		}),
		Entry("the Secret of its pairs was replaced", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			s.Delete(s.store(sub))
			s.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: hook.SecretName(sub.Name)}})
		}),
		Entry("a creation failed, and nothing can be listed", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			s.Smile.Break(sandbox.Fault{Operation: "create-webhook", Phase: "before", Action: "reset"})
			s.Change(sub, func() { sub.Spec.URL = "" })
			s.op.Run(sub)
		}, sandbox.Fault{Operation: "list-webhooks", Count: -1, Action: "status:503"}),
		Entry("one of two deletions fails", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			s.Change(sub, func() { sub.Spec.EventTypes = []v1alpha1.EventType{v1alpha1.EventAll} })
			s.op.Run(sub)
			Expect(s.webhooks()).To(HaveLen(2))
		}, sandbox.Fault{Operation: "delete-webhook", Nth: 2, Action: "status:503"}),
	)

	It("deletes a webhook to it that was never verified", func() {
		s := newScene(sandbox.Options{})
		s.Smile.Break(sandbox.Fault{Operation: "get-webhook", Count: -1, Action: "status:503"})
		sub := s.subscription(to(application))
		s.op.Fail(sub, 1)
		Expect(s.webhooks()).To(HaveLen(1))
		takeOff(s)
		s.Smile.ClearFaults()
		s.op.Run(sub)
		Expect(s.webhooks()).To(BeEmpty())
	})

	It("is sent to Smile again soon after a failure", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered(to(application))
		takeOff(s)
		s.Smile.Break(sandbox.Fault{Operation: "delete-webhook", Action: "status:503"})
		s.op.Fail(sub, 1)
		s.op.Run(sub)
		Expect(s.webhooks()).To(BeEmpty())
		Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonWebhookURLNotAllowed)))
	})
})
