package webhook_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
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

var _ = Describe("Interference", func() {
	DescribeTable("with the Secret in the middle of a reconcile is not undone", func(meddle func(*scene, *corev1.Secret)) {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		before := string(s.store(sub).Data[hook.KeySecret])
		s.Change(sub, func() { sub.Spec.EventTypes = []v1alpha1.EventType{v1alpha1.EventAll} })
		met := false
		s.Smile.Instead = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost && !met {
				met = true
				meddle(s, s.store(sub))
			}
			return false
		}
		s.op.Run(sub)
		s.op.Live(3*overlap, sub, s.conn)
		Expect(s.only().Secret).NotTo(Equal(before))
		Expect(string(s.store(sub).Data[hook.KeySecret])).To(Equal(s.only().Secret))
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.creates()).To(Equal(3))
	},
		Entry("which was edited", func(s *scene, secret *corev1.Secret) {
			s.Change(secret, func() { secret.Data[hook.KeySecret] = []byte(strings.Repeat("n", 50)) })
		}),
		Entry("which was deleted", func(s *scene, secret *corev1.Secret) { s.Delete(secret) }),
	)

	DescribeTable("with the content or the owner of the Secret is repaired with at most one call", func(calls int, meddle func(*corev1.Secret)) {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.op.Quiet(sub)
		before := s.store(sub)
		secret := s.store(sub)
		s.Change(secret, func() { meddle(secret) })
		mark := s.Smile.Mark()
		s.op.Run(sub)
		Expect(s.Smile.Calls(mark)).To(Equal(calls))
		Expect(s.takes(sub, s.only())).To(BeTrue())
		repaired := s.store(sub)
		Expect(repaired.Data).To(Equal(before.Data))
		Expect(repaired.OwnerReferences).To(Equal(before.OwnerReferences))
		Expect(repaired.Annotations).To(Equal(before.Annotations))
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.op.Quiet(sub)
	},
		Entry("stripped of its owner", 0, func(secret *corev1.Secret) { secret.OwnerReferences = nil }),
		Entry("stripped of the annotation of its owner", 0, func(secret *corev1.Secret) { secret.Annotations = nil }),
		Entry("stripped of the pairs", 1, func(secret *corev1.Secret) { delete(secret.Data, hook.KeyPairs) }),
		Entry("with unreadable pairs", 1, func(secret *corev1.Secret) { secret.Data[hook.KeyPairs] = []byte("[") }),
		Entry("with another path in a pair", 1, func(secret *corev1.Secret) {
			pairs, _ := hook.ParsePairs(secret.Data[hook.KeyPairs])
			pairs[0].Path = hook.NewPath()
			secret.Data[hook.KeyPairs], _ = hook.MarshalPairs(pairs)
		}),
		Entry("with another secret in a pair", 0, func(secret *corev1.Secret) {
			pairs, _ := hook.ParsePairs(secret.Data[hook.KeyPairs])
			pairs[0].Secret = hook.NewSecret()
			secret.Data[hook.KeyPairs], _ = hook.MarshalPairs(pairs)
		}),
		Entry("with an additional key", 0, func(secret *corev1.Secret) { secret.Data["other"] = []byte("x") }),
	)

	It("by making another object the owner of the Secret is reported", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		secret := s.store(sub)
		s.Change(secret, func() {
			secret.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "other", UID: "other", Controller: new(true)}}
		})
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputConflict)))
	})

	DescribeTable("with the name of a webhook at Smile does not hide it", func(end func(*scene, *v1alpha1.SmileWebhookSubscription), left int, changes ...change) {
		s := newScene(sandbox.Options{})
		sub := s.registered(changes...)
		s.op.Live(overlap, sub)
		old := s.only()
		s.Smile.Instead = s.renaming(old.ID)
		end(s, sub)
		Expect(s.webhooks()).To(HaveLen(left))
		Expect(s.webhooks()).NotTo(ContainElement(HaveField("ID", old.ID)))
	},
		Entry("of the operator's receiver", looked, 1),
		Entry("of an application", looked, 1, to("https://app.example.com/smile")),
		Entry("when its object is deleted", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			s.Delete(sub)
			s.op.Run(sub)
			Expect(s.Exists(sub)).To(BeFalse())
		}, 0),
	)

	It("with the name is reported if Smile shows no secret", func() {
		s := newScene(sandbox.Options{Quirks: map[string]string{"webhook-secret": "hidden"}})
		sub := s.registered(to("https://app.example.com/smile"))
		s.op.Live(overlap, sub)
		s.Smile.Instead = s.renaming(s.only().ID)
		looked(s, sub)
		Expect(s.op.Reasons(sub)).To(ContainElement(v1alpha1.ReasonOrphaned))
	})

	It("whose repair Smile first refuses is still reported as a repair", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		s.op.Live(overlap, sub)
		s.elsewhere(http.MethodDelete, "/v1/webhooks/"+s.only().ID, nil)
		s.Smile.Break(sandbox.Fault{Operation: "create-webhook", Count: 3, Action: "status:429"})
		looked(s, sub)
		Expect(s.op.Reasons(sub)).To(ContainElement(v1alpha1.ReasonWebhookRepaired))
		Expect(s.op.Reasons(sub)).NotTo(ContainElement(v1alpha1.ReasonWebhookReplaced))
	})
})

var _ = Describe("A key pair of another tenant", func() {
	It("leaves the webhook at the former tenant, and reports that", func() {
		s := newScene(sandbox.Options{})
		sub := s.registered(to("https://app.example.com/smile"))
		s.op.Live(overlap, sub, s.conn)
		s.useKeys(testenv.Two)
		looked(s, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.webhooks()).To(HaveLen(1), "with the former tenant")
		Expect(s.op.Reasons(sub)).To(ContainElements(v1alpha1.ReasonOrphaned, v1alpha1.ReasonWebhookReplaced))
		Expect(s.op.Reasons(sub)).NotTo(ContainElement(v1alpha1.ReasonWebhookRepaired))
	})
})

func (s *scene) useKeys(pair sandbox.KeyPair) {
	GinkgoHelper()
	secret, ok := s.Secret(testenv.KeysName)
	Expect(ok).To(BeTrue())
	s.Change(secret, func() { secret.StringData = testenv.Keys("", pair).StringData })
}

// looked advances the clock until a change at Smile was found and repaired.
func looked(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
	GinkgoHelper()
	s.op.Live(2*time.Hour, sub, s.conn)
}

// renaming shows a webhook under another name.
func (s *scene) renaming(id string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		there := slices.ContainsFunc(s.webhooks(), func(one remote) bool { return one.ID == id })
		if !there || r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/v1/webhooks") {
			return false
		}
		var shown map[string]any
		Expect(json.Unmarshal(s.elsewhere(http.MethodGet, r.URL.RequestURI(), nil), &shown)).To(Succeed())
		data, _ := shown["data"].(map[string]any)
		items, _ := data["items"].([]any)
		for _, item := range append(items, data) {
			if one, _ := item.(map[string]any); one["id"] == id {
				one["name"] = "our production webhook"
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(shown)
		return true
	}
}

var _ = Describe("The Secret of the pairs", func() {
	DescribeTable("is read just as often while something prevents the replacement of the webhook", func(trouble func(*scene, *v1alpha1.SmileWebhookSubscription)) {
		s := newScene(sandbox.Options{})
		sub := s.registered()
		trouble(s, sub)
		next := s.op.Run(sub)
		Expect(next).To(BeNumerically(">", 0))
		Expect(next).To(BeNumerically("<=", soon))
	},
		Entry("a host that is not permitted", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			s.Change(sub, func() { sub.Spec.URL = "https://nope.example.com/x" })
		}),
		Entry("a change that is still being carried out", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			for _, event := range []v1alpha1.EventType{"TASK_STARTED", "USER_CREATED"} {
				s.Change(sub, func() { sub.Spec.EventTypes = []v1alpha1.EventType{event} })
				s.op.Run(sub)
			}
		}),
		Entry("Smile's refusal", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			s.Smile.Break(sandbox.Fault{Operation: "create-webhook", Count: -1, Action: "status:400"})
			s.Change(sub, func() { sub.Spec.EventTypes = []v1alpha1.EventType{"TASK_STARTED"} })
		}),
		Entry("a creation whose outcome is unknown", func(s *scene, sub *v1alpha1.SmileWebhookSubscription) {
			s.Smile.Break(sandbox.Fault{Operation: "create-webhook", Phase: "after", Action: "reset"})
			s.Change(sub, func() { sub.Spec.EventTypes = []v1alpha1.EventType{"TASK_STARTED"} })
		}),
	)
})
