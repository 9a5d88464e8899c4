package webhook_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A change", func() {
	DescribeTable("creates another webhook, and the old one is deleted when none of its events can be under way",
		func(change func(*scene, *v1alpha1.SmileWebhookSubscription), newSecret, restart bool) {
			s := newScene(sandbox.Options{})
			s.secret("mine", strings.Repeat("a", 40))
			sub := s.registered(signedWith("mine"))
			old := s.only()

			change(s, sub)
			if restart {
				s.restart()
			}
			s.op.Run(sub)
			Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			both := s.webhooks()
			Expect(both).To(HaveLen(2))
			Expect(both[1].URL).NotTo(Equal(old.URL))
			if newSecret {
				Expect(both[1].Secret).NotTo(Equal(old.Secret))
			} else {
				Expect(both[1].Secret).To(Equal(old.Secret))
			}
			Expect(s.takes(sub, old)).To(BeTrue())
			Expect(s.takes(sub, both[1])).To(BeTrue())

			if restart {
				s.restart()
			}
			s.op.Live(overlap-time.Minute, sub)
			Expect(s.webhooks()).To(HaveLen(2))
			s.op.Live(2*time.Minute, sub)
			Expect(s.only()).To(Equal(both[1]))
			Expect(s.takes(sub, old)).To(BeTrue(), "an earlier call may still arrive")
			s.op.Live(overlap, sub)
			Expect(s.takes(sub, old)).To(BeFalse())
			Expect(sub.Status.Registrations).To(HaveLen(1))
			s.op.Live(2*time.Minute, sub)
			Expect(string(s.store(sub).Data[hook.KeyPairs])).NotTo(ContainSubstring(strings.TrimPrefix(old.URL, base+hook.Prefix)))
			Expect(s.creates()).To(Equal(2))
			s.op.Quiet(sub)
		},
		Entry("of the event types", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			s.Change(sub, func() { sub.Spec.EventTypes = []v1alpha1.EventType{v1alpha1.EventAll} })
		}, false, false),
		Entry("of the secret, edited", func(s *scene, _ *v1alpha1.SmileWebhookSubscription) {
			mine, _ := s.Secret("mine")
			s.Change(mine, func() { mine.Data["secret"] = []byte(strings.Repeat("b", 40)) })
		}, true, false),
		Entry("of the secret, deleted and re-created, with restarts", func(s *scene, _ *v1alpha1.SmileWebhookSubscription) {
			mine, _ := s.Secret("mine")
			s.Delete(mine)
			s.secret("mine", strings.Repeat("c", 40))
		}, true, true),
		Entry("to a secret of our own", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			s.Change(sub, func() { sub.Spec.SecretRef = nil })
		}, true, true),
	)

	DescribeTable("of the generated secret is requested by deleting or editing its Secret", func(how func(*scene, *v1alpha1.SmileWebhookSubscription), restart bool) {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		old := s.only()
		how(s, sub)
		if restart {
			s.restart()
		}
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		both := s.webhooks()
		Expect(both).To(HaveLen(2))
		Expect(both[1].Secret).NotTo(Equal(old.Secret))
		Expect(s.takes(sub, old)).To(BeTrue(), "the lost pair was restored")
		Expect(s.takes(sub, both[1])).To(BeTrue())
		Expect(string(s.store(sub).Data[hook.KeySecret])).To(Equal(both[1].Secret))
		Expect(string(s.store(sub).Data[hook.KeyPrevious])).To(Equal(old.Secret))
		s.op.Live(2*overlap+2*time.Minute, sub)
		Expect(s.only()).To(Equal(both[1]))
		Expect(s.store(sub).Data).NotTo(HaveKey(hook.KeyPrevious))
	},
		Entry("deleted", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) { s.Delete(s.store(sub)) }, false),
		Entry("deleted, restart", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) { s.Delete(s.store(sub)) }, true),
		Entry("edited", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			store := s.store(sub)
			s.Change(store, func() { store.Data[hook.KeySecret] = []byte(strings.Repeat("e", 50)) })
		}, true),
		Entry("edited to something unreadable", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			store := s.store(sub)
			s.Change(store, func() { store.Data = map[string][]byte{hook.KeyPairs: []byte("{")} })
		}, true),
	)

	It("of the generated secret to an unusable one is refused, and nothing is overwritten", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		old, store := s.only(), s.store(sub)
		s.Change(store, func() { store.Data[hook.KeySecret] = []byte("too short") })
		s.op.Live(time.Minute, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonSecretInvalid)))
		Expect(string(s.store(sub).Data[hook.KeySecret])).To(Equal("too short"))
		Expect(s.only()).To(Equal(old))
		Expect(s.takes(sub, old)).To(BeTrue())
		store = s.store(sub)
		s.Change(store, func() { store.Data[hook.KeySecret] = []byte(strings.Repeat("e", 50)) })
		s.op.Live(time.Minute, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.webhooks()).To(ContainElement(HaveField("Secret", strings.Repeat("e", 50))))
	})

	It("of a lost Secret whose pair Smile does not show deletes the webhook that cannot be verified", func() {
		s := newScene(sandbox.Options{Quirks: map[string]string{"webhook-secret": "hidden"}})
		sub := s.registered()
		old := s.only()
		s.Delete(s.store(sub))
		s.restart()
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.only().ID).NotTo(Equal(old.ID))
		Expect(s.op.Reasons(sub)).To(ContainElement(v1alpha1.ReasonWebhookReplaced))
	})

	It("waits while another one is carried out: at most two webhooks are registered", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		for i, events := range [][]v1alpha1.EventType{{"TASK_STARTED"}, {"TASK_FINISHED"}, {"USER_CREATED"}} {
			s.Change(sub, func() { sub.Spec.EventTypes = events })
			s.op.Live(time.Minute, sub)
			Expect(s.webhooks()).To(HaveLen(2), "change %d", i)
		}
		Expect(s.Outcome(sub)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		s.op.Live(3*overlap, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.only().EventTypes).To(ConsistOf("USER_CREATED"))
	})
})

// switchOff makes Smile list some webhooks as inactive, as if somebody had switched them off in its portal.
func (s *scene) switchOff(ids ...string) {
	s.Smile.Instead = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/webhooks") {
			return false
		}
		items := s.webhooks()
		for i := range items {
			items[i].Active = !slices.Contains(ids, items[i].ID)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"code": "OK", "data": map[string]any{"items": items}})
		return true
	}
}

var _ = Describe("A replacement that fails", func() {
	It("because Smile refuses it is abandoned for the next one", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.Smile.Break(sandbox.Fault{Operation: "create-webhook", Count: -1, Action: "status:400"})
		for _, events := range [][]v1alpha1.EventType{{"TASK_STARTED"}, {"USER_CREATED"}} {
			s.Change(sub, func() { sub.Spec.EventTypes = events })
			s.op.Run(sub)
			Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonInvalidSpec)))
			Expect(s.webhooks()).To(HaveLen(1))
		}
		s.Smile.ClearFaults()
		s.Change(sub, func() { sub.Spec.EventTypes = []v1alpha1.EventType{v1alpha1.EventAll} })
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.op.Live(2*overlap+time.Minute, sub)
		Expect(s.only().EventTypes).To(ConsistOf("ALL_EVENTS"))
		Expect(sub.Status.Registrations).To(HaveLen(1))
	})

	It("because Smile never shows it as declared is retired once something else is wanted", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.Smile.Break(sandbox.Fault{Operation: "get-webhook", Count: -1, Action: "status:503"})
		s.Change(sub, func() { sub.Spec.EventTypes = []v1alpha1.EventType{"TASK_STARTED"} })
		s.op.Fail(sub, 1)
		Expect(s.webhooks()).To(HaveLen(2))
		s.Change(sub, func() { sub.Spec.EventTypes = []v1alpha1.EventType{"USER_CREATED"} })
		s.Smile.ClearFaults()
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		s.op.Live(3*overlap, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.only().EventTypes).To(ConsistOf("USER_CREATED"))
	})

	It("because the pairs of both were lost, and Smile does not show them, starts again", func() {
		s := newScene(sandbox.Options{Quirks: map[string]string{"webhook-secret": "hidden"}})
		sub := s.registered()
		s.Change(sub, func() { sub.Spec.EventTypes = []v1alpha1.EventType{v1alpha1.EventAll} })
		s.op.Run(sub)
		lost := s.webhooks()
		Expect(lost).To(HaveLen(2))
		s.Delete(s.store(sub))
		s.restart()
		s.op.Live(time.Minute, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.only().ID).NotTo(BeElementOf(lost[0].ID, lost[1].ID))
		Expect(s.creates()).To(Equal(3))
	})

	It("because both were switched off at Smile starts again", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.op.Live(settle+time.Minute, sub)
		var off []string
		for i := range 2 {
			all := s.webhooks()
			off = append(off, all[len(all)-1].ID)
			s.switchOff(off...)
			s.Annotate(sub, v1alpha1.AnnotationRequestedAt, fmt.Sprint(i))
			s.op.Live(settle+time.Minute, sub)
		}
		Expect(s.Outcome(sub)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		s.op.Live(2*overlap, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.only().ID).NotTo(BeElementOf(off))
		Expect(s.creates()).To(Equal(3))
	})
})

var _ = Describe("A change at Smile", func() {
	It("is detected on request, even if the annotation is longer than a status can hold", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.Annotate(sub, v1alpha1.AnnotationRequestedAt, strings.Repeat("ñ", 300))
		s.op.Run(sub)
		Expect(sub.Status.LastHandledRequest).To(Equal(strings.Repeat("ñ", 256)))
		calls := s.Smile.Mark()
		s.op.Quiet(sub)
		Expect(s.Smile.Calls(calls)).To(BeZero())
	})

	It("causes a deleted webhook to be registered again, and its last events are accepted", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.op.Live(10*time.Minute, sub)
		old := s.only()
		s.elsewhere(http.MethodDelete, "/v1/webhooks/"+old.ID, nil)
		s.op.Live(16*time.Minute, sub, s.conn)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.only().ID).NotTo(Equal(old.ID))
		Expect(s.op.Reasons(sub)).To(ContainElement(v1alpha1.ReasonWebhookRepaired))
	})

	It("causes a changed webhook to be replaced", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.op.Live(10*time.Minute, sub)
		old := s.only()
		s.switchOff(old.ID)
		s.op.Live(16*time.Minute, sub, s.conn)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.creates()).To(Equal(2))
		s.op.Live(30*time.Minute, sub, s.conn)
		Expect(s.only().ID).NotTo(Equal(old.ID))
		Expect(s.creates()).To(Equal(2), "replaced once")
	})

	It("does not hide a webhook of this object that is not in the status: it is deleted, and those of others stay", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		body := func(name string) map[string]any {
			return map[string]any{"name": name, "url": "https://x.example.com/", "eventTypes": []string{"ALL_EVENTS"}, "active": true, "secret": strings.Repeat("s", 40)}
		}
		s.elsewhere(http.MethodPost, "/v1/webhooks", body(hook.Name{UID: sub.UID, Pair: "stray"}.String()))
		s.elsewhere(http.MethodPost, "/v1/webhooks", body(hook.Name{UID: "another", Pair: "pair"}.String()))
		s.elsewhere(http.MethodPost, "/v1/webhooks", body("somebody's"))
		s.op.Live(16*time.Minute, sub, s.conn)
		Expect(s.webhooks()).To(HaveLen(3))
		Expect(s.webhooks()).To(ContainElements(HaveField("Name", "somebody's"), HaveField("Name", HaveSuffix("another.pair"))))
	})

	It("does not prevent that a lost status is restored", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.ChangeStatus(sub, func() { sub.Status.Registrations = nil })
		s.restart()
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.creates()).To(Equal(1))
		Expect(s.takes(sub, s.only())).To(BeTrue())
	})
})

var _ = Describe("Deleting", func() {
	It("deletes the webhook at Smile", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.Change(sub, func() { sub.Spec.EventTypes = []v1alpha1.EventType{v1alpha1.EventAll} })
		s.op.Run(sub)
		Expect(s.webhooks()).To(HaveLen(2))
		s.Delete(sub)
		s.op.Run(sub)
		Expect(s.Exists(sub)).To(BeFalse())
		Expect(s.webhooks()).To(BeEmpty())
	})

	It("deletes the webhook of an object whose status was lost", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.ChangeStatus(sub, func() { sub.Status.Registrations = nil })
		s.restart()
		s.Delete(sub)
		s.op.Run(sub)
		Expect(s.Exists(sub)).To(BeFalse())
		Expect(s.webhooks()).To(BeEmpty())
	})

	It("does not wait for a connection if nothing is at Smile", func() {
		s := newScene(sandbox.Options{})
		sub := s.subscription(func(sub *v1alpha1.SmileWebhookSubscription) { sub.Spec.ConnectionRef.Name = "absent" })
		s.op.Run(sub)
		s.Delete(sub)
		s.op.Run(sub)
		Expect(s.Exists(sub)).To(BeFalse())
	})

	It("leaves the webhook if the policy says so", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered(func(sub *v1alpha1.SmileWebhookSubscription) { sub.Spec.DeletionPolicy = v1alpha1.WebhookRetain })
		Expect(sub.Finalizers).To(BeEmpty())
		s.Delete(sub)
		Expect(s.Exists(sub)).To(BeFalse())
		Expect(s.webhooks()).To(HaveLen(1))
	})

	It("waits for Smile and reports that, and gives up after 15 minutes with an event", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.Smile.Break(sandbox.Fault{Operation: "*", Count: -1, Action: "status:503"})
		s.Delete(sub)
		s.op.Fail(sub, 1)
		Expect(s.Outcome(sub)).To(Equal(testenv.Terminating(v1alpha1.ReasonDeletionBlocked)))
		s.Clock.SetTime(sub.DeletionTimestamp.Add(15*time.Minute - time.Second))
		s.op.Fail(sub, 1)
		Expect(s.Exists(sub)).To(BeTrue())
		s.Pass(time.Second)
		s.op.Run(sub)
		Expect(s.Exists(sub)).To(BeFalse())
		Expect(s.op.Reasons(sub)).To(ContainElement(v1alpha1.ReasonOrphaned))
	})

	It("first settles a creation whose outcome is unknown", func() {
		s := newScene(sandbox.Options{})
		s.Smile.Break(sandbox.Fault{Operation: "create-webhook", Phase: "after", Action: "reset"})
		sub := s.subscription()
		s.op.Run(sub)
		s.Smile.ClearFaults()
		s.Delete(sub)
		s.op.Live(settle+time.Minute, sub)
		Expect(s.Exists(sub)).To(BeFalse())
		Expect(s.webhooks()).To(BeEmpty())
	})
})
