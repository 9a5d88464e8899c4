package connection_test

import (
	"net/http"
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

// repaired is the longest time until a connection works after its Secret was fixed.
const repaired = 10 * time.Second

var _ = Describe("The credentials of a SmileConnection", func() {
	var (
		w    *testenv.World
		op   *testenv.Operator
		conn *v1alpha1.SmileConnection
	)

	BeforeEach(func() {
		w = testenv.New(GinkgoTB(), testenv.Config{RequestsPerSecond: 15})
		op = w.Operator()
		conn = testenv.Connection(testenv.ConnectionName)
		w.Create(conn)
	})

	fix := func() {
		secret, ok := w.Secret(testenv.KeysName)
		if ok {
			w.Delete(secret)
		}
		w.Create(testenv.Keys(testenv.KeysName, testenv.One))
	}

	It("are proven by one call", func() {
		w.Create(testenv.Keys(testenv.KeysName, testenv.One))
		next := op.Run(conn)

		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(w.Condition(conn, v1alpha1.ConditionCredentialsValid)).To(Equal("True/Succeeded"))
		Expect(w.Smile.Calls(0)).To(Equal(1))
		Expect(next).To(And(BeNumerically(">=", 30*time.Second), BeNumerically("<=", 33*time.Second)), "the Secret is read again")
		Expect(op.Reasons(conn)).To(Equal([]string{v1alpha1.ReasonSucceeded}))

		status := conn.Status
		Expect(status.Endpoint).To(Equal(w.Smile.URL + "/v1"))
		Expect(status.Mode).To(Equal(v1alpha1.ModeSandbox))
		Expect(status.RequestsPerSecond).To(BeEquivalentTo(15))
		Expect(status.ResyncInterval.Duration).To(Equal(15 * time.Minute))
		Expect(status.Credentials.Fingerprint).NotTo(BeEmpty())
		Expect(status.Credentials.Since.Time).To(BeTemporally("==", w.Clock.Now()))
		Expect(status.Credentials.ModeConfirmed).To(BeFalse(), "nothing has shown the mode yet")
	})

	It("are proven only once, also by the next process", func() {
		w.Create(testenv.Keys(testenv.KeysName, testenv.One))
		op.Run(conn)
		op.Quiet(conn)
		op.Live(20*time.Minute, conn)
		op.Quiet(conn)
		w.Operator().Quiet(conn)
		Expect(w.Smile.Calls(0)).To(Equal(1))
	})

	DescribeTable("that cannot be read cost no call, are reported, and work as soon as they are fixed",
		func(data map[string]string, reason, message string) {
			if data != nil {
				w.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: testenv.KeysName}, StringData: data})
			}
			op.Run(conn)
			Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(reason)))
			Expect(w.Condition(conn, v1alpha1.ConditionCredentialsValid)).To(Equal("False/" + reason))
			Expect(w.Message(conn)).To(ContainSubstring(message))
			op.Quiet(conn)
			op.Live(time.Minute, conn)
			Expect(w.Smile.Calls(0)).To(BeZero())

			fix()
			op.Live(repaired, conn)
			Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		},
		Entry("no Secret", nil, v1alpha1.ReasonSecretNotFound, `the Secret "keys" that spec.credentialsSecretRef names does not exist`),
		Entry("an empty Secret", map[string]string{}, v1alpha1.ReasonSecretInvalid, `key "apiKey" is missing`),
		Entry("other names", map[string]string{"key": "a", "secret": "b"}, v1alpha1.ReasonSecretInvalid, `key "apiKey" is missing`),
		Entry("half a pair", map[string]string{"apiKey": "a"}, v1alpha1.ReasonSecretInvalid, `key "apiSecret" is missing`),
		Entry("an empty value", map[string]string{"apiKey": "a", "apiSecret": ""}, v1alpha1.ReasonSecretInvalid, `key "apiSecret" is empty`),
		Entry("a newline at the end", map[string]string{"apiKey": "a\n", "apiSecret": "b"}, v1alpha1.ReasonSecretInvalid,
			`key "apiKey" contains characters that no Smile key has`),
		Entry("key and secret in one", map[string]string{"apiKey": "a:b", "apiSecret": "b"}, v1alpha1.ReasonSecretInvalid,
			`key "apiKey" contains a colon, which HTTP basic authentication does not allow`),
		Entry("binary", map[string]string{"apiKey": "a", "apiSecret": "\x00\xff"}, v1alpha1.ReasonSecretInvalid,
			`key "apiSecret" contains characters that no Smile key has`),
		Entry("too long", map[string]string{"apiKey": "a", "apiSecret": strings.Repeat("b", 1025)}, v1alpha1.ReasonSecretInvalid,
			`key "apiSecret" is longer than 1024 bytes`),
	)

	It("may have other names in the Secret", func() {
		w.Create(testenv.Permitting(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: testenv.KeysName},
			StringData: map[string]string{"id": testenv.One.Key, "password": testenv.One.Secret},
		}, "credentials"))
		w.Change(conn, func() {
			conn.Spec.CredentialsSecretRef.APIKeyKey, conn.Spec.CredentialsSecretRef.APISecretKey = "id", "password"
		})
		op.Run(conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	DescribeTable("that Smile refuses are retried rarely, and work as soon as they are fixed",
		func(status string) {
			w = testenv.New(GinkgoTB(), testenv.Config{Sandbox: sandbox.Options{Quirks: map[string]string{"bad-credentials": status}}})
			op = w.Operator()
			conn = testenv.Connection(testenv.ConnectionName)
			w.Create(conn, testenv.Keys(testenv.KeysName, testenv.Wrong))

			op.Run(conn)
			Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonInvalidCredentials)))
			Expect(w.Condition(conn, v1alpha1.ConditionCredentialsValid)).To(Equal("False/InvalidCredentials"))
			Expect(w.Smile.Calls(0)).To(BeNumerically("<=", 3))
			op.Quiet(conn)

			before := w.Smile.Mark()
			op.Live(20*time.Minute, conn)
			Expect(w.Smile.Calls(before)).To(Equal(1), "4 probes an hour")
			op.Quiet(conn)

			fix()
			op.Live(repaired, conn)
			Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		},
		Entry("with 400", "400"), Entry("with 401", "401"),
	)

	It("that are refused later stop everything after 3 calls, and recover without help", func() {
		w.Create(testenv.Keys(testenv.KeysName, testenv.One))
		user := testenv.User(testenv.UserName)
		w.Create(user)
		op.Run(conn, user)

		before := w.Smile.Mark()
		w.Smile.Break(sandbox.Fault{Operation: "*", Count: -1, Action: "status:401"})
		op.Live(35*time.Minute, conn, user)
		Expect(w.Smile.Calls(before)).To(BeNumerically("<=", 3+2))
		Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonInvalidCredentials)))
		Expect(w.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)), "nothing is due for it")

		w.Smile.ClearFaults()
		op.Live(16*time.Minute, conn, user)
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("share a breaker between the connections that name the same pair", func() {
		w.Create(testenv.Keys(testenv.KeysName, testenv.Wrong))
		other := testenv.Connection("other")
		w.Create(other)
		op.Live(20*time.Minute, conn, other)
		Expect(w.Smile.Calls(0)).To(BeNumerically("<=", 3))
		for _, c := range []*v1alpha1.SmileConnection{conn, other} {
			Expect(w.Outcome(c)).To(Equal(testenv.Stalled(v1alpha1.ReasonInvalidCredentials)))
		}
	})

	It("show a rotation", func() {
		w.Create(testenv.Keys(testenv.KeysName, testenv.One))
		op.Run(conn)
		first := conn.Status.Credentials.DeepCopy()

		w.Pass(time.Hour)
		secret, _ := w.Secret(testenv.KeysName)
		w.Change(secret, func() { secret.StringData = testenv.Keys("", testenv.Two).StringData })
		op.Live(35*time.Second, conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(conn.Status.Credentials.Fingerprint).NotTo(Equal(first.Fingerprint))
		Expect(conn.Status.Credentials.Since.Time).To(BeTemporally(">", first.Since.Time))
		Expect(w.Smile.Calls(0)).To(Equal(2))
	})
})

var _ = Describe("A key pair of another tenant", func() {
	var (
		w    *testenv.World
		op   *testenv.Operator
		conn *v1alpha1.SmileConnection
		user *v1alpha1.SmileUser
	)

	use := func(pair sandbox.KeyPair) {
		secret, _ := w.Secret(testenv.KeysName)
		w.Change(secret, func() { secret.StringData = testenv.Keys("", pair).StringData })
	}

	BeforeEach(func() {
		w = testenv.New(GinkgoTB(), testenv.Config{})
		op = w.Operator()
		conn, user = testenv.Connection(testenv.ConnectionName), testenv.User(testenv.UserName)
		w.Create(conn, user, testenv.Keys(testenv.KeysName, testenv.One))
		op.Run(conn, user, conn)
		Expect(conn.Status.Credentials.KnownUserID).To(Equal(user.Status.UserID))
		Expect(conn.Status.Credentials.ModeConfirmed).To(BeTrue())
	})

	It("is refused, retried rarely, and forgotten when the old one is back", func() {
		before := conn.Status.Credentials.Fingerprint
		use(testenv.Two)
		mark := w.Smile.Mark()
		op.Live(20*time.Minute, conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonCredentialsMismatch)))
		Expect(conn.Status.Credentials.Fingerprint).To(Equal(before), "the pair is not in use")
		Expect(w.Smile.Calls(mark)).To(Equal(2))
		op.Quiet(conn)

		use(testenv.One)
		op.Live(repaired, conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("is not used before it was proven, whatever is reconciled first", func() {
		another := testenv.User("another")
		w.Create(another, testenv.Keys("other-keys", testenv.Two))
		w.Change(conn, func() { conn.Spec.CredentialsSecretRef.Name = "other-keys" })
		op.Run(another)
		Expect(w.Smile.People(testenv.Two)).To(BeEmpty())
		Expect(w.Outcome(another)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)), "the last proven pair is used")
		Expect(w.Smile.People(testenv.One)).To(HaveLen(2))
	})

	It("is not used by a process that never had another pair, and waiting objects continue soon after it is replaced", func() {
		another := testenv.User("another")
		w.Create(another)
		use(testenv.Two)
		op = w.Operator()
		Expect(op.Run(another)).To(Equal(time.Second))
		Expect(w.Outcome(another)).To(Equal(testenv.Fresh))
		op.Run(conn, another)
		Expect(w.Outcome(another)).To(Equal(testenv.Waiting(v1alpha1.ReasonConnectionNotReady)))
		Expect(w.Smile.People(testenv.Two)).To(BeEmpty())
	})

	It("is not used for other calls while it is being proven", func() {
		another := testenv.User("another")
		w.Create(another)
		use(testenv.Two)
		w.Smile.Instead = func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/v1/users/") {
				w.Smile.Instead = nil
				op.Run(another)
			}
			return false
		}
		op.Run(conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonCredentialsMismatch)))
		Expect(w.Smile.People(testenv.Two)).To(BeEmpty())
	})

	It("is refused by the next process too", func() {
		use(testenv.Two)
		w.Operator().Run(conn)
		Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonCredentialsMismatch)))
	})

	It("is refused even when another connection uses it rightly", func() {
		other := testenv.Connection("other", func(c *v1alpha1.SmileConnection) { c.Spec.CredentialsSecretRef.Name = "other-keys" })
		w.Create(other, testenv.Keys("other-keys", testenv.Two))
		op.Run(other)
		use(testenv.Two)
		op.Live(time.Minute, conn, other)
		Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonCredentialsMismatch)))
		Expect(w.Outcome(other)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})
})
