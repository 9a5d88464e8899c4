package webhook_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A deletion that Smile acknowledges", func() {
	// times makes Smile acknowledge a number of deletions, from the nth on, without carrying them out.
	times := func(nth, count int) sandbox.Fault {
		return sandbox.Fault{Operation: "delete-webhook", Nth: nth, Count: count, Action: "acknowledge"}
	}
	all := func(sub *v1alpha1.SmileWebhookSubscription) {
		sub.Spec.EventTypes = []v1alpha1.EventType{v1alpha1.EventAll}
	}

	It("is verified by one call", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		before := s.Smile.Mark()
		s.Delete(sub)
		s.op.Run(sub)
		Expect(s.Exists(sub)).To(BeFalse())
		Expect(s.Smile.Calls(before, "delete-webhook")).To(Equal(1))
		Expect(s.Smile.Calls(before, "get-webhook")).To(Equal(2), "whose it is, and that it is gone")
		Expect(s.Smile.Calls(before)).To(Equal(3))
	})

	It("and does not carry out blocks the object, is reported, and is sent again", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.Smile.Break(times(1, 3))
		s.Delete(sub)
		s.op.Fail(sub, 1)
		Expect(s.Outcome(sub)).To(Equal(testenv.Terminating(v1alpha1.ReasonDeletionBlocked)))
		Expect(s.Message(sub)).To(ContainSubstring("acknowledged the deletion"))
		s.op.Quiet(sub)
		s.op.Live(5*time.Minute, sub)
		Expect(s.Exists(sub)).To(BeFalse())
		Expect(s.webhooks()).To(BeEmpty())
		Expect(s.Smile.Calls(0, "delete-webhook")).To(Equal(4))
		Expect(s.op.Reasons(sub)).NotTo(ContainElement(v1alpha1.ReasonOrphaned))
	})

	It("and never carries out is retried with backoff, and given up after 15 minutes with an event", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.Smile.Break(times(1, -1))
		s.Delete(sub)
		s.Get(sub)
		s.Clock.SetTime(sub.DeletionTimestamp.Time)
		s.op.Live(14*time.Minute, sub)
		Expect(s.Exists(sub)).To(BeTrue())
		s.op.Live(10*time.Minute, sub)
		Expect(s.Exists(sub)).To(BeFalse())
		Expect(s.op.Reasons(sub)).To(ContainElement(v1alpha1.ReasonOrphaned))
		Expect(s.Smile.Calls(0, "delete-webhook")).To(BeNumerically("<=", 20))
	})

	It("and does not carry out for one webhook does not delay others", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.Change(sub, func() { all(sub) })
		s.op.Run(sub)
		Expect(s.webhooks()).To(HaveLen(2))
		s.Smile.Break(times(1, 1))
		s.Delete(sub)
		s.op.Fail(sub, 1)
		Expect(s.webhooks()).To(HaveLen(1))
		s.op.Run(sub)
		Expect(s.Exists(sub)).To(BeFalse())
		Expect(s.webhooks()).To(BeEmpty())
	})

	It("and does not carry out for a replaced webhook keeps the registration, and its events are accepted", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		replaced := s.only()
		s.Change(sub, func() { all(sub) })
		s.op.Run(sub)
		s.Smile.Break(times(1, 6))
		s.op.Live(overlap+time.Minute, sub)
		Expect(s.webhooks()).To(HaveLen(2))
		Expect(s.takes(sub, replaced)).To(BeTrue())
		Expect(s.Condition(sub, v1alpha1.ConditionRegistered)).To(Equal("False/SmileUnavailable"))
		s.op.Live(10*time.Minute, sub)
		Expect(s.webhooks()).To(HaveLen(1))
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("and does not carry out for a webhook that is not in the status delays no change", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		stray := s.only()
		stray.Name = hook.Name{UID: sub.UID, Pair: "lost"}.String()
		s.elsewhere("POST", "/v1/webhooks", stray)
		s.Smile.Break(times(1, -1))
		s.Pass(time.Second)
		s.Annotate(sub, v1alpha1.AnnotationRequestedAt, "now")
		s.Change(sub, func() { all(sub) })
		s.op.Fail(sub, 1)
		Expect(s.creates()).To(Equal(2))
		s.Smile.ClearFaults()
		s.op.Live(overlap+time.Minute, sub)
		Expect(s.only().EventTypes).To(Equal([]string{"ALL_EVENTS"}))
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("and does not carry out for a webhook whose host is no longer allowed is sent again", func() {
		s := newScene(sandbox.Options{})
		const application = "https://app.example.com/smile"
		sub := s.registered(to(application))
		s.hosts[0] = "other.example.com"
		s.restart()
		s.Smile.Break(times(1, 1))
		s.op.Fail(sub, 1)
		Expect(sub.Status.URL).To(Equal(application))
		s.op.Run(sub)
		Expect(s.webhooks()).To(BeEmpty())
		Expect(sub.Status.URL).To(BeEmpty())
	})
})
