package connection_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A Secret that a SmileConnection names", func() {
	var (
		w    *testenv.World
		op   *testenv.Operator
		conn *v1alpha1.SmileConnection
	)

	// named makes a connection whose pair is under keys other than the defaults.
	named := func(data map[string]string) *corev1.Secret {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "database"}, StringData: data}
		conn = testenv.Connection(testenv.ConnectionName, func(c *v1alpha1.SmileConnection) {
			c.Spec.CredentialsSecretRef = v1alpha1.CredentialsSecretReference{Name: "database", APIKeyKey: "user", APISecretKey: "password"}
		})
		w.Create(secret, conn)
		return secret
	}
	one := map[string]string{"user": testenv.One.Key, "password": testenv.One.Secret}

	BeforeEach(func() {
		w = testenv.New(GinkgoTB(), testenv.Config{})
		op = w.Operator()
	})

	DescribeTable("is not sent to Smile unless it permits that, and nothing is reported about it", func(data map[string]string) {
		secret := named(data)
		op.Run(conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonSecretUseNotPermitted)))
		Expect(w.Condition(conn, v1alpha1.ConditionCredentialsValid)).To(Equal("False/SecretUseNotPermitted"))
		Expect(w.Message(conn)).To(Equal(`spec.credentialsSecretRef: the Secret "database" does not permit this use: ` +
			`annotate it with smile-operator.io/use: credentials; its values are not used`))
		Expect(conn.Status.Credentials).To(BeNil())
		w.Annotate(secret, v1alpha1.AnnotationUse, "subjects,webhook-secret")
		op.Live(time.Minute, conn)
		w.Operator().Quiet(conn)
		Expect(w.Smile.Calls(0)).To(BeZero())
	},
		Entry("a password", map[string]string{"user": "root", "password": "hunter2"}),
		Entry("a pair that Smile knows", one),
		Entry("a value that no key pair has", map[string]string{"user": "root", "password": "hunter2\n"}),
		Entry("an empty value", map[string]string{"user": "", "password": ""}),
		Entry("no value", map[string]string{"host": "db"}),
	)

	It("is used as soon as it permits that", func() {
		secret := named(one)
		op.Run(conn)
		w.Annotate(secret, v1alpha1.AnnotationUse, "subjects, credentials")
		op.Live(repaired, conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(w.Condition(conn, v1alpha1.ConditionSecretUsePermitted)).To(BeEmpty())
	})

	It("is still used once its pair was proven, with one warning, and another pair is refused", func() {
		secret := named(one)
		w.Annotate(secret, v1alpha1.AnnotationUse, "credentials")
		op.Run(conn)
		w.Change(secret, func() { secret.Annotations = nil })
		op.Live(5*time.Minute, conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(w.Condition(conn, v1alpha1.ConditionSecretUsePermitted)).To(Equal("False/SecretUseNotPermitted"))
		Expect(op.Reasons(conn)).To(Equal([]string{v1alpha1.ReasonSucceeded, v1alpha1.ReasonSecretUseNotPermitted}))
		op = w.Operator()
		op.Quiet(conn)
		op.Live(5*time.Minute, conn)
		Expect(op.Reasons(conn)).To(BeEmpty(), "the next process does not warn again")

		calls := w.Smile.Calls(0)
		w.Change(secret, func() {
			secret.StringData = map[string]string{"user": testenv.Two.Key, "password": testenv.Two.Secret}
		})
		op.Live(time.Minute, conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonSecretUseNotPermitted)))
		Expect(w.Smile.Calls(0)).To(Equal(calls))

		w.Annotate(secret, v1alpha1.AnnotationUse, "credentials")
		op.Live(repaired, conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(w.Condition(conn, v1alpha1.ConditionSecretUsePermitted)).To(BeEmpty())
	})
})
