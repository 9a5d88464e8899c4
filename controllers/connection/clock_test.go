package connection_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("The clock", func() {
	It("is compared with Smile's whenever Smile responds", func() {
		w := testenv.New(GinkgoTB(), testenv.Config{})
		conn := testenv.Connection(testenv.ConnectionName)
		user := testenv.User(testenv.UserName)
		w.Create(conn, user, testenv.Keys(testenv.KeysName, testenv.One))
		op := w.Operator()
		condition := func() string {
			GinkgoHelper()
			w.Pass(20 * time.Minute) // so that it is later than ever before, and Smile is called
			w.Annotate(user, v1alpha1.AnnotationRequestedAt, w.Clock.Now().String())
			op.Run(user)
			w.Pass(time.Second)
			op.Run(conn)
			op.Quiet(conn)
			return w.Condition(conn, v1alpha1.ConditionClockSynchronized)
		}
		op.Run(conn)
		Expect(w.Condition(conn, v1alpha1.ConditionClockSynchronized)).To(Equal("True/Succeeded"))
		w.SetClock(28 * time.Second)
		Expect(condition()).To(Equal("True/Succeeded"))
		w.SetClock(4 * time.Second)
		Expect(condition()).To(Equal("False/ClockSkew"))
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		w.SetClock(-4 * time.Second)
		Expect(condition()).To(Equal("False/ClockSkew"), "it does not flap")
		w.SetClock(-10 * time.Second)
		Expect(condition()).To(Equal("True/Succeeded"))
		w.SetClock(-11 * time.Minute)
		Expect(condition()).To(Equal("False/ClockSkew"))
		message := meta.FindStatusCondition(conn.Status.Conditions, v1alpha1.ConditionClockSynchronized).Message
		Expect(message).To(ContainSubstring("until then, no data is erased"))

		before := w.Smile.Mark()
		op = w.Operator()
		op.Run(conn)
		Expect(w.Condition(conn, v1alpha1.ConditionClockSynchronized)).To(Equal("False/ClockSkew"), "until Smile responds, it is unchanged")
		Expect(w.Smile.Calls(before)).To(BeZero())
	})
})
