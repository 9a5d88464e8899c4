package user_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A Secret that spec.subjectFrom names", func() {
	password := testenv.WithSubject("database", "password")

	DescribeTable("is not used unless it permits that, and nothing is reported about it", func(data map[string]string) {
		s := newScene(testenv.Config{})
		before := s.Smile.Mark()
		database := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "database"}, StringData: data}
		s.Create(database)
		user := s.user(testenv.UserName, password)
		next := s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonSecretUseNotPermitted)))
		Expect(s.Condition(user, v1alpha1.ConditionProvisioned)).To(Equal("False/SecretUseNotPermitted"))
		Expect(s.Message(user)).To(Equal(`spec.subjectFrom: the Secret "database" does not permit this use: ` +
			`annotate it with smile-operator.io/use: subjects; its values are not used`))
		Expect(next).To(Equal(30*time.Second), "Secrets are not watched")
		s.Annotate(database, v1alpha1.AnnotationUse, "credentials")
		s.op.Live(2*time.Minute, user)
		s.Operator().Quiet(user)
		Expect(s.Smile.Calls(before, "create-user", "list-users", "get-user")).To(BeZero())
		Expect(user.Status.UserID).To(BeEmpty())
	},
		Entry("a password", map[string]string{"password": "hunter2"}),
		Entry("with a newline", map[string]string{"password": "hunter2\n"}),
		Entry("too long", map[string]string{"password": strings.Repeat("x", 600)}),
		Entry("no value", map[string]string{"host": "db"}),
	)

	It("is used as soon as it permits that", func() {
		s := newScene(testenv.Config{})
		database := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "database"}, StringData: map[string]string{"password": "C-1"}}
		s.Create(database)
		user := s.user(testenv.UserName, password)
		s.op.Run(user)
		s.Annotate(database, v1alpha1.AnnotationUse, "credentials,subjects")
		s.op.Live(time.Minute, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Condition(user, v1alpha1.ConditionSecretUsePermitted)).To(BeEmpty())
	})

	It("is still accepted for an existing user, with one warning, and refused for a new one", func() {
		s := newScene(testenv.Config{})
		keys := customers(map[string]string{"george": "C-4711"})
		s.Create(keys)
		user := s.provisioned("first", testenv.WithSubject("customers", "george"), testenv.WithToken("first-token"))
		s.Change(keys, func() { keys.Annotations = nil })

		s.op = s.Operator()
		s.op.Run(s.conn)
		s.op.Live(40*time.Minute, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Condition(user, v1alpha1.ConditionSecretUsePermitted)).To(Equal("False/SecretUseNotPermitted"))
		Expect(s.op.Reasons(user)).To(Equal([]string{v1alpha1.ReasonSecretUseNotPermitted}))
		s.op = s.Operator()
		s.op.Run(s.conn)
		s.op.Live(40*time.Minute, user)
		Expect(s.op.Reasons(user)).To(BeEmpty(), "the next process does not warn again")

		second := s.user("second", testenv.WithSubject("customers", "george"))
		s.op.Run(second)
		Expect(s.Outcome(second)).To(Equal(testenv.Stalled(v1alpha1.ReasonSecretUseNotPermitted)))

		s.Annotate(keys, v1alpha1.AnnotationUse, "subjects")
		s.op.Run(user)
		Expect(s.Condition(user, v1alpha1.ConditionSecretUsePermitted)).To(BeEmpty())
		s.op.Live(time.Minute, second)
		Expect(s.Outcome(second)).To(Equal(testenv.Stalled(v1alpha1.ReasonUserIDConflict)), "it is the same person")
		Expect(s.people()).To(HaveLen(1))
	})

	It("is refused for a re-created object, which gets its user once the Secret permits the use", func() {
		s := newScene(testenv.Config{})
		keys := customers(map[string]string{"george": "C-4711"})
		s.Create(keys)
		first := s.provisioned("first", testenv.WithSubject("customers", "george"))
		s.Delete(first)
		s.op.Run(first)
		s.Change(keys, func() { keys.Annotations = nil })
		second := s.user("second", testenv.WithSubject("customers", "george"))
		s.op.Run(second)
		Expect(s.Outcome(second)).To(Equal(testenv.Stalled(v1alpha1.ReasonSecretUseNotPermitted)))
		s.Annotate(keys, v1alpha1.AnnotationUse, "subjects")
		s.op.Live(time.Minute, second)
		Expect(s.Outcome(second)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(second.Status.UserID).To(Equal(first.Status.UserID))
	})
})
