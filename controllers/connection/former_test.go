package connection_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A rotation to a key pair that Smile refuses", func() {
	var (
		w    *testenv.World
		op   *testenv.Operator
		conn *v1alpha1.SmileConnection
	)

	put := func(pair sandbox.KeyPair) {
		GinkgoHelper()
		secret, _ := w.Secret(testenv.KeysName)
		w.Change(secret, func() { secret.StringData = testenv.Keys("", pair).StringData })
	}
	newcomer := func(name string) *v1alpha1.SmileUser {
		GinkgoHelper()
		user := testenv.User(name)
		w.Create(user)
		op.Run(user)
		return user
	}

	BeforeEach(func() {
		w = testenv.New(GinkgoTB(), testenv.Config{})
		op = w.Operator()
		conn = testenv.Connection(testenv.ConnectionName)
		w.Create(conn, testenv.Keys(testenv.KeysName, testenv.One))
		op.Run(conn)
		put(testenv.Wrong)
		op.Live(time.Minute, conn)
	})

	It("is reported, while the former pair is still used", func() {
		Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonInvalidCredentials)))
		Expect(w.Condition(conn, v1alpha1.ConditionCredentialsValid)).To(Equal("False/InvalidCredentials"))
		Expect(w.Message(conn)).To(ContainSubstring("the former pair is still used"))
		op.Quiet(conn)
		before := w.Smile.Mark()
		Expect(w.Outcome(newcomer("a"))).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(w.Smile.People(testenv.One)).To(HaveLen(1))

		op.Live(40*time.Minute, conn)
		Expect(w.Smile.Calls(before, "list-providers")).To(BeNumerically("<=", 3), "the refused pair is probed rarely")
		Expect(w.Outcome(newcomer("b"))).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("stops everything once the former pair is refused too, and says so", func() {
		w.Smile.Break(sandbox.Fault{Operation: "*", Count: -1, Action: "status:401"})
		late := newcomer("late")
		Expect(w.Outcome(late)).To(Equal(testenv.Waiting(v1alpha1.ReasonConnectionNotReady)))
		op.Live(time.Minute, conn)
		Expect(w.Message(conn)).NotTo(ContainSubstring("former"))
		before := w.Smile.Mark()
		op.Live(14*time.Minute, late)
		Expect(w.Smile.Calls(before)).To(BeZero())
		Expect(w.Smile.People(testenv.One)).To(BeEmpty())
	})

	It("stops everything for a process that never had the former pair", func() {
		op = w.Operator()
		op.Run(conn)
		Expect(w.Message(conn)).NotTo(ContainSubstring("former"))
		Expect(w.Outcome(newcomer("late"))).To(Equal(testenv.Waiting(v1alpha1.ReasonConnectionNotReady)))
		Expect(w.Smile.People(testenv.One)).To(BeEmpty())
	})

	DescribeTable("stops everything if more than the pair is wrong",
		func(wrong func()) {
			wrong()
			op.Live(time.Minute, conn)
			before := w.Smile.Mark()
			late := newcomer("late")
			Expect(w.Outcome(late).Ready).To(BeEquivalentTo("False"))
			op.Live(20*time.Minute, late)
			Expect(w.Smile.Calls(before)).To(BeZero())
			Expect(w.Smile.People(testenv.One)).To(BeEmpty())
		},
		Entry("the Secret is gone", func() {
			secret, _ := w.Secret(testenv.KeysName)
			w.Delete(secret)
		}),
		Entry("the Secret is empty", func() {
			secret, _ := w.Secret(testenv.KeysName)
			w.Change(secret, func() { secret.Data = map[string][]byte{} })
		}),
		Entry("the Secret is binary", func() {
			secret, _ := w.Secret(testenv.KeysName)
			w.Change(secret, func() { secret.Data = map[string][]byte{"apiKey": {0, 255}, "apiSecret": {1}} })
		}),
		Entry("the endpoint is not allowed", func() {
			w.Change(conn, func() { conn.Spec.Endpoint = "https://evil.example.com/v1" })
		}),
		Entry("it is suspended", func() {
			w.Change(conn, func() { conn.Spec.Suspend = true })
		}),
	)

	It("is over within seconds, without another call, when the former pair is restored", func() {
		before := w.Smile.Mark()
		put(testenv.One)
		op.Live(repaired, conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(w.Smile.Calls(before)).To(BeZero())
	})
})
