package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("Registering", func() {
	It("creates one webhook, whose path and secret are only at Smile and in a Secret", func() {
		s := newScene(sandbox.Options{})
		since := s.Smile.Mark()
		sub := s.registered()
		Expect(s.Smile.Calls(since)).To(Equal(3), "one listing, one creation, and one call that verifies it")

		hooked := s.only()
		Expect(hooked.EventTypes).To(ConsistOf("TASK_FINISHED", "ACCOUNT_DISCONNECTED"))
		Expect(hooked.Active).To(BeTrue())
		Expect(hooked.Secret).To(HaveLen(64))
		Expect(strings.TrimPrefix(hooked.URL, base+hook.Prefix)).To(HaveLen(43), "256 bits")
		Expect(s.takes(sub, hooked)).To(BeTrue())
		name, ok := hook.ParseName(hooked.Name)
		Expect(ok).To(BeTrue())
		Expect(name).To(Equal(hook.Name{UID: sub.UID, Pair: sub.Status.Registrations[0].ID}))

		Expect(sub.Status.URL).To(Equal(base + "/hooks/v1/…"))
		Expect(s.op.Reasons(sub)).To(ContainElement(v1alpha1.ReasonWebhookCreated))
		Expect(string(s.store(sub).Data[hook.KeySecret])).To(Equal(hooked.Secret))
		s.op.Quiet(sub)
	})

	It("makes no call at rest, except for one listing per resync interval", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		since := s.Smile.Mark()
		version := sub.ResourceVersion
		s.op.Live(time.Hour, sub, s.conn)
		Expect(s.Smile.Calls(since, "list-webhooks")).To(BeNumerically("~", 4, 1))
		Expect(s.Smile.Calls(since)).To(Equal(s.Smile.Calls(since, "list-webhooks")))
		s.Get(sub)
		Expect(sub.ResourceVersion).To(Equal(version), "nothing is written at rest")
		since = s.Smile.Mark()
		s.restart()
		s.op.Run(sub)
		Expect(s.Smile.Calls(since)).To(BeZero(), "a restart makes no call")
	})

	It("creates nothing while a quota leaves no room for the Secret with the pair", func() {
		s := newScene(sandbox.Options{})
		lift := s.Full()
		sub, since := s.subscription(), s.Smile.Mark()
		s.op.Live(time.Hour, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonClusterRefused)))
		Expect(s.Message(sub)).To(ContainSubstring("exceeded quota"))
		s.op.Quiet(sub)
		Expect(s.creates()).To(BeZero())
		Expect(s.Smile.Calls(since)).To(BeNumerically("<", 30), "a failing call is not repeated in a loop")
		lift()
		s.op.Live(6*time.Minute, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.creates()).To(Equal(1))
	})

	It("sends events only to hosts that the operator permits", func() {
		s := newScene(sandbox.Options{})
		for _, url := range []string{
			"https://evil.example.net/x", "https://app.example.com.evil.net/", "https://app.example.com:8443/", "https://sub.app.example.com/",
			"https://127.0.0.1/", "https://app.example.com./", "https://app.example.com/a/../b", "https://app.example.com/%2e",
		} {
			sub := s.subscription(to(url))
			s.op.Run(sub)
			Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonWebhookURLNotAllowed)), url)
		}
		Expect(s.creates()).To(BeZero())
		sub := s.registered(to("https://APP.example.com:443/smile"), func(sub *v1alpha1.SmileWebhookSubscription) { sub.Spec.IncludePayload = true })
		Expect(s.only().URL).To(Equal("https://app.example.com/smile"))
		Expect(s.only().IncludePayload).To(BeTrue())
		Expect(sub.Status.URL).To(Equal("https://app.example.com/smile"))
		Expect(sub.Status.Registrations[0].PathHash).To(BeEmpty())
		Expect(string(s.store(sub).Data[hook.KeySecret])).To(Equal(s.only().Secret), "the application finds the secret here")
	})

	It("reports that there is no receiver", func() {
		s := newSceneAt("", sandbox.Options{})
		sub := s.subscription()
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonReceiverNotConfigured)))
	})

	DescribeTable("accepts a secret in another Secret, if it is usable", func(value string, outcome testenv.Outcome) {
		s := newScene(sandbox.Options{})
		sub := s.subscription(signedWith("mine"))
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonSecretNotFound)))
		s.secret("mine", value)
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(outcome))
		if outcome.Reason == v1alpha1.ReasonSucceeded {
			Expect(s.only().Secret).To(Equal(value))
			Expect(s.store(sub).Data).NotTo(HaveKey(hook.KeySecret))
		} else {
			Expect(s.creates()).To(BeZero())
		}
	},
		Entry("short", strings.Repeat("x", 31), testenv.Stalled(v1alpha1.ReasonSecretInvalid)),
		Entry("shortest", strings.Repeat("x", 32), testenv.Ready(v1alpha1.ReasonSucceeded)),
		Entry("longest", strings.Repeat("x", 64), testenv.Ready(v1alpha1.ReasonSucceeded)),
		Entry("long", strings.Repeat("x", 65), testenv.Stalled(v1alpha1.ReasonSecretInvalid)),
		Entry("with a newline", strings.Repeat("x", 40)+"\n", testenv.Stalled(v1alpha1.ReasonSecretInvalid)),
	)

	It("changes no webhook that the status names but that was registered for another object", func() {
		s := newScene(sandbox.Options{})
		other, sub := s.registered(), s.registered()
		s.ChangeStatus(sub, func() { sub.Status.Registrations[0].WebhookID = other.Status.Registrations[0].WebhookID })
		s.Delete(s.store(sub))
		s.op.Live(time.Hour, sub)
		Expect(s.webhooks()).To(ContainElement(HaveField("ID", other.Status.Registrations[0].WebhookID)))
		Expect(string(s.store(sub).Data[hook.KeyPairs])).NotTo(ContainSubstring(string(s.store(other).Data[hook.KeySecret])))
	})
})

var _ = Describe("A creation whose outcome is unknown", func() {
	DescribeTable("is not repeated before its outcome is known", func(fault sandbox.Fault, restart bool, creates int) {
		s := newScene(sandbox.Options{})
		s.Smile.Break(fault)
		sub := s.subscription()
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Waiting(v1alpha1.ReasonCreateOutcomeUnknown)))
		s.Smile.ClearFaults()
		if restart {
			s.restart()
		}
		s.op.Live(settle-time.Second, sub)
		Expect(s.creates()).To(Equal(1), "nothing is sent before a listing can show the outcome")
		s.op.Live(time.Minute, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.creates()).To(Equal(creates))
		Expect(s.takes(sub, s.only())).To(BeTrue())
	},
		Entry("made, answer lost", sandbox.Fault{Operation: "create-webhook", Phase: "after", Action: "status:503"}, false, 1),
		Entry("made, answer lost, restart", sandbox.Fault{Operation: "create-webhook", Phase: "after", Action: "status:503"}, true, 1),
		Entry("made, answer cut", sandbox.Fault{Operation: "create-webhook", Phase: "after", Action: "truncate:40"}, true, 1),
		Entry("not made", sandbox.Fault{Operation: "create-webhook", Phase: "before", Action: "reset"}, false, 2),
		Entry("not made, restart", sandbox.Fault{Operation: "create-webhook", Phase: "before", Action: "status:500"}, true, 2),
	)

	It("is found again if the process ends before the result was stored", func() {
		s := newScene(sandbox.Options{})
		var dying bool
		s.op = s.Operator(func(inner client.WithWatch) client.WithWatch {
			return interceptor.NewClient(inner, interceptor.Funcs{
				SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
					if dying && s.creates() > 0 {
						return errors.New("killed")
					}
					return c.SubResource(sub).Patch(ctx, obj, patch, options...)
				},
			})
		})
		s.op.Run(s.conn)
		sub := s.subscription()
		dying = true
		s.op.Fail(sub, 1)
		Expect(s.takes(sub, s.only())).To(BeTrue(), "events are accepted from the first one on")
		s.restart()
		s.op.Live(settle+time.Minute, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.creates()).To(Equal(1))
		Expect(s.webhooks()).To(HaveLen(1))
	})

	DescribeTable("names what to check when Smile refuses it as invalid", func(url, field string) {
		s := newScene(sandbox.Options{})
		s.Smile.Break(sandbox.Fault{Operation: "create-webhook", Action: "status:400"})
		sub := s.subscription(to(url))
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonInvalidSpec)))
		Expect(meta.FindStatusCondition(sub.Status.Conditions, v1alpha1.ConditionReady).Message).To(ContainSubstring("check " + field))
	},
		Entry("of an application", "https://app.example.com/smile", "spec.url"),
		Entry("of the operator's receiver", "", "the operator's --receiver-base-url"),
	)

	It("is not sent again for 15 minutes if Smile refused it as invalid", func() {
		s := newScene(sandbox.Options{})
		s.Smile.Break(sandbox.Fault{Operation: "create-webhook", Count: -1, Action: "status:400"})
		sub := s.subscription()
		s.op.Live(time.Hour, sub)
		Expect(s.creates()).To(BeNumerically("~", 4, 1))
		s.Smile.ClearFaults()
		s.op.Live(17*time.Minute, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("reports that its connection was deleted", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.Delete(s.conn)
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Waiting(v1alpha1.ReasonConnectionNotFound)))
		Expect(s.webhooks()).To(HaveLen(1))
	})

	It("does not accept the Secret that the operator creates for it", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		sub.Spec.SecretRef = &v1alpha1.SecretKeyReference{Name: hook.SecretName(sub.Name), Key: hook.KeySecret}
		Expect(s.Client.Update(s.Context(), sub)).To(MatchError(ContainSubstring("omit spec.secretRef")))
	})

	It("is sent again at once if Smile refused it", func() {
		s := newScene(sandbox.Options{})
		s.Smile.Break(sandbox.Fault{Operation: "create-webhook", Count: 3, Action: "status:429"})
		sub := s.subscription()
		s.op.Run(sub)
		s.Smile.ClearFaults()
		s.op.Live(time.Minute, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.webhooks()).To(HaveLen(1))
	})

	It("is never sent before the intent is stored", func() {
		s := newScene(sandbox.Options{})
		sub := s.subscription()
		seen := 0
		s.Smile.Instead = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/webhooks") {
				seen++
				s.Get(sub)
				Expect(sub.Status.Registrations).To(HaveLen(1))
				pairs, err := hook.ParsePairs(s.store(sub).Data[hook.KeyPairs])
				Expect(err).NotTo(HaveOccurred())
				Expect(pairs[0].ID).To(Equal(sub.Status.Registrations[0].ID))
			}
			return false
		}
		s.op.Run(sub)
		Expect(seen).To(Equal(1))
	})
})
