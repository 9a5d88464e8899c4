package connection_test

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A SmileConnection", func() {
	var (
		w    *testenv.World
		op   *testenv.Operator
		conn *v1alpha1.SmileConnection
	)

	BeforeEach(func() {
		w = testenv.New(GinkgoTB(), testenv.Config{Sandbox: sandbox.Options{Quirks: map[string]string{"retry-after": "5m"}}})
		op = w.Operator()
		conn = testenv.Connection(testenv.ConnectionName)
		w.Create(conn, testenv.Keys(testenv.KeysName, testenv.One))
	})

	DescribeTable("reports transient failures after the third one, always with the same status, and recovers",
		func(action, reason string) {
			w.Smile.Break(sandbox.Fault{Operation: "*", Count: -1, Action: action})
			op.Fail(conn, 2)
			Expect(w.Outcome(conn)).To(Equal(testenv.Fresh))
			op.Fail(conn, 1)
			Expect(w.Outcome(conn)).To(Equal(testenv.Waiting(reason)))
			Expect(w.Condition(conn, v1alpha1.ConditionCredentialsValid)).To(Equal("False/" + reason))
			op.Quiet(conn)

			w.Smile.ClearFaults()
			op.Run(conn)
			Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			Expect(op.Reasons(conn)).To(Equal([]string{reason, v1alpha1.ReasonSucceeded}))
		},
		Entry("the connection breaks", "reset", v1alpha1.ReasonSmileUnavailable),
		Entry("500", "status:500", v1alpha1.ReasonSmileUnavailable),
		Entry("502", "status:502", v1alpha1.ReasonSmileUnavailable),
		Entry("504", "status:504", v1alpha1.ReasonSmileUnavailable),
		Entry("an HTML page", "garbage", v1alpha1.ReasonInvalidResponse),
		Entry("an empty answer", "empty", v1alpha1.ReasonInvalidResponse),
		Entry("half an answer", "truncate:20", v1alpha1.ReasonInvalidResponse),
		Entry("a bare 404, as a wrong path gives it", "status:404", v1alpha1.ReasonSmileUnavailable),
	)

	It("shows that Smile cannot be reached at all", func() {
		w.Smile.Shutdown()
		op.Fail(conn, 3)
		Expect(w.Outcome(conn)).To(Equal(testenv.Waiting(v1alpha1.ReasonSmileUnavailable)))
		op.Quiet(conn)
	})

	It("stays Ready and proven during any failure while nothing is due", func() {
		op.Run(conn)
		w.Smile.Shutdown()
		op.Live(10*time.Minute, conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		op.Quiet(conn)
	})

	It("waits as long as Smile requests after too many calls", func() {
		w.Smile.Break(sandbox.Fault{Operation: "*", Action: "status:429"})
		Expect(op.Run(conn)).To(Equal(5 * time.Minute))
		Expect(w.Outcome(conn)).To(Equal(testenv.Fresh), "throttling is not shown")
		op.Quiet(conn)
		Expect(w.Smile.Calls(0)).To(Equal(1), "no call is sent to the host")

		w.Operator().Run(conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("makes no calls while it is suspended, and works again afterwards", func() {
		w.Change(conn, func() { conn.Spec.Suspend = true })
		op.Live(10*time.Minute, conn)
		Expect(w.Condition(conn, v1alpha1.ConditionSuspended)).To(Equal("True/Suspended"))
		op.Quiet(conn)
		Expect(w.Smile.Calls(0)).To(BeZero())

		user := testenv.User(testenv.UserName)
		w.Create(user)
		op.Run(user)
		Expect(w.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonSuspended)))

		w.Change(conn, func() { conn.Spec.Suspend = false })
		op.Run(conn, user)
		Expect(w.Condition(conn, v1alpha1.ConditionSuspended)).To(BeEmpty())
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(w.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("handles an approval once, even if it is longer than a status can hold", func() {
		w.Annotate(conn, v1alpha1.AnnotationApproveErasure, strings.Repeat("ñ", 300))
		op.Run(conn)
		Expect(conn.Status.LastErasureApproval).To(Equal(strings.Repeat("ñ", 256)))
		op.Quiet(conn)
	})

	It("shows the rate and the interval in effect", func() {
		w = testenv.New(GinkgoTB(), testenv.Config{RequestsPerSecond: 15})
		op = w.Operator()
		w.Create(testenv.Keys(testenv.KeysName, testenv.One))
		for asked, effective := range map[int32]int32{0: 15, 3: 3, 100: 15} {
			conn := testenv.Connection(fmt.Sprintf("asks-%d", asked), func(c *v1alpha1.SmileConnection) { c.Spec.RequestsPerSecond = asked })
			w.Create(conn)
			op.Run(conn)
			Expect(conn.Status.RequestsPerSecond).To(Equal(effective))
		}
	})
})
