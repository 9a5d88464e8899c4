package webhook_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A Secret that spec.secretRef names", func() {
	DescribeTable("is not registered at Smile unless it permits that, and nothing is reported about it", func(data map[string]string) {
		s := newScene(sandbox.Options{})
		database := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "database"}, StringData: data}
		s.Create(database)
		sub := s.subscription(func(sub *v1alpha1.SmileWebhookSubscription) {
			sub.Spec.SecretRef = &v1alpha1.SecretKeyReference{Name: "database", Key: "password"}
		})
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonSecretUseNotPermitted)))
		Expect(s.Condition(sub, v1alpha1.ConditionRegistered)).To(Equal("False/SecretUseNotPermitted"))
		Expect(s.Message(sub)).To(Equal(`spec.secretRef: the Secret "database" does not permit this use: ` +
			`annotate it with smile-operator.io/use: webhook-secret; its values are not used`))
		s.Annotate(database, v1alpha1.AnnotationUse, "credentials,subjects")
		s.op.Live(2*soon, sub)
		s.restart()
		s.op.Quiet(sub)
		Expect(s.creates()).To(BeZero())
		Expect(sub.Status.Registrations).To(BeEmpty())

		if strings.TrimSpace(data["password"]) == data["password"] && len(data["password"]) > 31 {
			s.Annotate(database, v1alpha1.AnnotationUse, "credentials, webhook-secret")
			s.op.Live(soon, sub)
			Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			Expect(s.only().Secret).To(Equal(data["password"]))
		}
	},
		Entry("a usable value", map[string]string{"password": strings.Repeat("x", 40)}),
		Entry("a short value", map[string]string{"password": "hunter2"}),
		Entry("with a newline", map[string]string{"password": strings.Repeat("x", 40) + "\n"}),
		Entry("no value", map[string]string{"host": "db"}),
	)

	It("stays registered, with one warning, and is registered again if its webhook was deleted; a new pair is refused", func() {
		s := newScene(sandbox.Options{})
		mine := s.secret("mine", strings.Repeat("a", 40))
		sub := s.registered(signedWith("mine"))
		s.Change(mine, func() { mine.Annotations = nil })
		s.op.Live(5*time.Minute, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Condition(sub, v1alpha1.ConditionSecretUsePermitted)).To(Equal("False/SecretUseNotPermitted"))
		Expect(s.op.Reasons(sub)).To(Equal([]string{v1alpha1.ReasonWebhookCreated, v1alpha1.ReasonSecretUseNotPermitted}))
		s.restart()
		s.op.Live(5*time.Minute, sub)
		Expect(s.op.Reasons(sub)).To(BeEmpty(), "the next process does not warn again")

		s.elsewhere("DELETE", "/v1/webhooks/"+s.only().ID, nil)
		s.op.Live(40*time.Minute, s.conn, sub)
		Expect(s.only().Secret).To(Equal(strings.Repeat("a", 40)))
		creates := s.creates()

		s.Change(mine, func() { mine.Data["secret"] = []byte(strings.Repeat("b", 40)) })
		s.op.Live(2*soon, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonSecretUseNotPermitted)))
		Expect(s.only().Secret).To(Equal(strings.Repeat("a", 40)), "the former one stays registered")
		Expect(s.creates()).To(Equal(creates))

		s.Annotate(mine, v1alpha1.AnnotationUse, "webhook-secret")
		s.op.Live(soon, sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Condition(sub, v1alpha1.ConditionSecretUsePermitted)).To(BeEmpty())
		Expect(s.creates()).To(Equal(creates + 1))
	})

	It("is refused for other events as well, because they require a new pair", func() {
		s := newScene(sandbox.Options{})
		mine := s.secret("mine", strings.Repeat("a", 40))
		sub := s.registered(signedWith("mine"))
		s.Change(mine, func() { mine.Annotations = nil })
		s.Change(sub, func() { sub.Spec.EventTypes = []v1alpha1.EventType{v1alpha1.EventAll} })
		s.op.Run(sub)
		Expect(s.Outcome(sub)).To(Equal(testenv.Stalled(v1alpha1.ReasonSecretUseNotPermitted)))
		Expect(s.creates()).To(Equal(1))
	})
})
