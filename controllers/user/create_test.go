package user_test

import (
	"context"
	"errors"
	"regexp"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A new SmileUser", func() {
	It("becomes one user at Smile, by one call, with its marker", func() {
		s := newScene(testenv.Config{})
		user := s.user(testenv.UserName, func(u *v1alpha1.SmileUser) {
			u.Spec.ExternalMetadata = map[string]v1alpha1.MetadataValue{"channel": "web", "campaign": "spring 26"}
		})
		before := s.Smile.Mark()
		next := s.op.Run(user)

		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Condition(user, v1alpha1.ConditionConnectionReady)).To(Equal("True/Succeeded"))
		Expect(s.Condition(user, v1alpha1.ConditionProvisioned)).To(Equal("True/Succeeded"))
		Expect(s.Condition(user, v1alpha1.ConditionTokenIssued)).To(BeEmpty(), "no token is requested")
		Expect(s.Smile.Calls(before, "create-user")).To(Equal(1))
		Expect(s.Smile.Calls(before, "list-users")).To(Equal(1), "nobody is created before a listing")
		Expect(s.Smile.Calls(before)).To(Equal(2))
		Expect(next).To(BeNumerically("<=", 15*time.Minute), "the accounts are looked at on the grid")
		Expect(s.op.Reasons(user)).To(Equal([]string{v1alpha1.ReasonUserCreated}))

		created := s.Smile.People(testenv.One)
		Expect(created).To(HaveLen(1))
		Expect(created[0].ExternalMetadata).To(And(HaveLen(3), HaveKeyWithValue("channel", "web"), HaveKeyWithValue("campaign", "spring 26")))
		Expect(created[0].ExternalMetadata[v1alpha1.MetadataOwner]).To(
			MatchRegexp(`^v1\.` + regexp.QuoteMeta(string(user.UID)) + `\.[A-Za-z0-9_-]{43}$`))
		Expect(user.Status.UserID).To(Equal(created[0].ID))
		Expect(user.Status.CreatedAt.Time).To(BeTemporally("==", created[0].CreatedAt.Time))
		Expect(user.Status.Mode).To(Equal(v1alpha1.ModeSandbox))
		Expect(user.Status.CreateAttempt).To(BeNil())
		Expect(*user.Status.Accounts).To(Equal(v1alpha1.AccountCounts{}))
		Expect(user.Finalizers).To(BeEmpty(), "there is nothing to undo under Retain")
	})

	It("is not touched again, by this process or the next", func() {
		s := newScene(testenv.Config{})
		user := s.provisioned(testenv.UserName)
		before := s.Smile.Mark()
		s.op.Quiet(user)
		s.Operator().Quiet(user)
		Expect(s.Smile.Calls(before)).To(BeZero())
	})

	It("costs 1.00 calls to create among many, and one listing for all", func() {
		s := newScene(testenv.Config{})
		before := s.Smile.Mark()
		for _, name := range []string{"ada", "ben", "cyd", "dan", "eve"} {
			s.provisioned(name)
		}
		Expect(s.Smile.Calls(before, "create-user")).To(Equal(5))
		Expect(s.Smile.Calls(before)).To(Equal(6))
	})

	It("waits for its connection, and continues when that exists", func() {
		w := testenv.New(GinkgoTB(), testenv.Config{})
		op, user := w.Operator(), testenv.User(testenv.UserName)
		w.Create(user)
		next := op.Run(user)
		Expect(w.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonConnectionNotFound)))
		Expect(w.Condition(user, v1alpha1.ConditionConnectionReady)).To(Equal("False/ConnectionNotFound"))
		Expect(next).To(BeNumerically("~", 5*time.Minute+15*time.Second, 15*time.Second))
		op.Quiet(user)

		conn := testenv.Connection(testenv.ConnectionName)
		w.Create(conn)
		op.Run(conn, user)
		Expect(w.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonConnectionNotReady)))
		op.Quiet(user)

		w.Create(testenv.Keys(testenv.KeysName, testenv.One))
		op.Run(conn, user)
		Expect(w.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	DescribeTable("requires the subject that it names",
		func(data map[string][]byte, reason string) {
			s := newScene(testenv.Config{})
			user := s.user(testenv.UserName, testenv.WithSubject("customers", "george"))
			secretWith := func(data map[string][]byte) *corev1.Secret {
				return testenv.Permitting(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "customers"}, Data: data}, "subjects")
			}
			if data != nil {
				s.Create(secretWith(data))
			}
			next := s.op.Run(user)
			Expect(s.Outcome(user)).To(Equal(testenv.Stalled(reason)))
			Expect(next).To(Equal(30*time.Second), "Secrets are not watched")
			s.op.Quiet(user)
			Expect(s.posts()).To(BeZero())

			if secret, ok := s.Secret("customers"); ok {
				s.Delete(secret)
			}
			s.Create(secretWith(map[string][]byte{"george": []byte("C-1")}))
			s.op.Run(user)
			Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		},
		Entry("no Secret", nil, v1alpha1.ReasonSecretNotFound),
		Entry("no such key", map[string][]byte{"ryan": []byte("C-2")}, v1alpha1.ReasonSecretInvalid),
		Entry("empty", map[string][]byte{"george": {}}, v1alpha1.ReasonSecretInvalid),
		Entry("too long", map[string][]byte{"george": make([]byte, 513)}, v1alpha1.ReasonSecretInvalid),
	)
})

var _ = Describe("A creation that Smile refuses", func() {
	DescribeTable("has certainly created no user: it is retried without a listing, as the same attempt",
		func(action string, refused func() testenv.Outcome, fails bool) {
			s := newScene(testenv.Config{})
			user := s.user(testenv.UserName)
			s.Smile.Break(sandbox.Fault{Operation: "create-user", Action: action})
			_, err := s.op.Reconcile(user)
			Expect(err != nil).To(Equal(fails))
			Expect(s.Outcome(user)).To(Equal(refused()))
			attempt := user.Status.CreateAttempt
			Expect(attempt).NotTo(BeNil())

			listings := s.Smile.Calls(0, "list-users")
			s.op.Run(user)
			Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			Expect(s.posts()).To(Equal(2))
			Expect(s.people()).To(Equal([]string{user.Status.UserID}))
			Expect(s.Smile.Calls(0, "list-users")).To(Equal(listings))
		},
		Entry("400", "status:400", func() testenv.Outcome { return testenv.Stalled(v1alpha1.ReasonInvalidSpec) }, false),
		Entry("401, though the pair is fine", "status:401", func() testenv.Outcome { return testenv.Fresh }, true),
		Entry("403, though the pair is fine", "status:403", func() testenv.Outcome { return testenv.Stalled(v1alpha1.ReasonAccessForbidden) }, false),
		Entry("404", "status:404", func() testenv.Outcome { return testenv.Fresh }, true),
		Entry("415", "status:415", func() testenv.Outcome { return testenv.Stalled(v1alpha1.ReasonInvalidSpec) }, false),
	)

	It("because there were too many calls is sent again at once", func() {
		s := newScene(testenv.Config{})
		user := s.user(testenv.UserName)
		s.Smile.Break(sandbox.Fault{Operation: "create-user", Action: "status:429"})
		_, err := s.op.Reconcile(user)
		Expect(err).NotTo(HaveOccurred())
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.posts()).To(Equal(2))
		Expect(s.people()).To(Equal([]string{user.Status.UserID}))
	})

	It("because the key pair is refused is reported on the connection, and waits for it", func() {
		s := newScene(testenv.Config{})
		user := s.user(testenv.UserName)
		s.Smile.Break(sandbox.Fault{Operation: "*", Count: -1, Action: "status:401"})
		before := s.Smile.Mark()
		s.op.Live(10*time.Minute, s.conn, user)
		Expect(s.Outcome(s.conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonInvalidCredentials)))
		Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonConnectionNotReady)))
		Expect(s.Smile.Calls(before)).To(BeNumerically("<=", 3))
		s.op.Quiet(user)

		s.Smile.ClearFaults()
		s.op.Live(20*time.Minute, s.conn, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.people()).To(HaveLen(1))
	})

	It("is not sent at all when Smile cannot be reached, and the same attempt is used later", func() {
		s := newScene(testenv.Config{})
		s.provisioned("first") // so that the users have been listed
		user := s.user(testenv.UserName)
		s.Smile.Shutdown()
		s.op.Fail(user, 2)
		Expect(s.Outcome(user)).To(Equal(testenv.Fresh))
		attempt := user.Status.CreateAttempt.ID
		s.op.Fail(user, 1)
		Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonSmileUnavailable)))
		Expect(user.Status.CreateAttempt.ID).To(Equal(attempt))
		s.op.Quiet(user)
	})
})

var _ = Describe("The intent to create", func() {
	It("is stored before the call", func() {
		s := newScene(testenv.Config{})
		user := s.user(testenv.UserName)
		s.op.Fence = func() error {
			s.Get(user)
			Expect(user.Status.CreateAttempt).NotTo(BeNil())
			Expect(user.Status.CreateAttempt.StartedAt.Time).To(BeTemporally("==", s.Clock.Now()))
			return nil
		}
		s.op.Run(user)
		Expect(s.posts()).To(Equal(1))
	})

	It("cannot be stored on a stale object, and then nothing is sent", func() {
		s := newScene(testenv.Config{})
		user := s.user(testenv.UserName)
		stale := user.DeepCopy()
		s.Annotate(user, "example.com/touched", "true")
		s.op = s.Operator(reading(stale))
		_, err := s.op.Reconcile(user)
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
		Expect(s.posts()).To(BeZero())
		Expect(s.Outcome(user)).To(Equal(testenv.Fresh))
	})

	It("cannot be stored on another object of the same name, and then nothing is sent", func() {
		s := newScene(testenv.Config{})
		user := s.user(testenv.UserName)
		former := user.DeepCopy()
		s.Delete(user)
		s.user(testenv.UserName)
		s.op = s.Operator(reading(former))
		_, err := s.op.Reconcile(former.DeepCopy())
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
		Expect(s.posts()).To(BeZero())
	})

	It("stays while this process may not be the leader, and nothing is sent", func() {
		s := newScene(testenv.Config{})
		user := s.user(testenv.UserName)
		s.op.Fence = func() error { return errors.New("not the leader") }
		s.op.Fail(user, 1)
		Expect(user.Status.CreateAttempt).NotTo(BeNil())
		Expect(s.posts()).To(BeZero())

		s.op.Fence = func() error { return nil }
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.people()).To(HaveLen(1))
	})
})

// reading makes an operator read an object as it was before.
func reading(as *v1alpha1.SmileUser) testenv.Wrap {
	return func(kube client.WithWatch) client.WithWatch {
		return interceptor.NewClient(kube, interceptor.Funcs{
			Get: func(ctx context.Context, inner client.WithWatch, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
				if user, ok := obj.(*v1alpha1.SmileUser); ok && key == client.ObjectKeyFromObject(as) {
					as.DeepCopyInto(user)
					return nil
				}
				return inner.Get(ctx, key, obj, options...)
			},
		})
	}
}
