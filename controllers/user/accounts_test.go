package user_test

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("The accounts of a SmileUser", func() {
	var (
		s    *scene
		user *v1alpha1.SmileUser
	)

	BeforeEach(func() {
		s = newScene(testenv.Config{})
		user = s.provisioned(testenv.UserName)
	})
	reads := func(since testenv.Mark) int { return s.Smile.Calls(since, "list-accounts") }

	It("are counted: those connected, and those that only the person can fix", func() {
		id := user.Status.UserID
		s.Smile.LinkGeorge(id, "sss_ph")
		s.Smile.LinkGeorge(id, "cdecorp")
		locked := s.Smile.LinkGeorge(id, "upwork")
		down := s.Smile.LinkGeorge(id, "grab")
		gone := s.Smile.LinkGeorge(id, "freelancer")
		_, err := s.Smile.Link(sandbox.LinkRequest{UserID: id, ProviderID: "abcplatform", Login: "George", Password: "123456"})
		Expect(err).NotTo(HaveOccurred())
		_, err = s.Smile.Fail(locked.ID, "ACCOUNT_LOCKED")
		Expect(err).NotTo(HaveOccurred())
		_, err = s.Smile.Fail(down.ID, "SERVICE_UNAVAILABLE")
		Expect(err).NotTo(HaveOccurred())
		_, err = s.Smile.Disconnect(gone.ID)
		Expect(err).NotTo(HaveOccurred())

		s.op.Live(16*time.Minute, user)
		Expect(*user.Status.Accounts).To(Equal(v1alpha1.AccountCounts{Total: 5, Connected: 2, NeedsAction: 2}))
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.op.Quiet(user)
	})

	It("are read once per interval, not because of a restart, and written only if they changed", func() {
		before := s.Smile.Mark()
		s.op.Live(time.Hour, user)
		Expect(reads(before)).To(Equal(4))
		Expect(s.Smile.Calls(before) - s.Smile.Calls(before, "get-user", "list-users")).To(Equal(4))
		version := user.ResourceVersion
		s.op.Live(time.Hour, user)
		Expect(user.ResourceVersion).To(Equal(version))

		before = s.Smile.Mark()
		for range 5 {
			s.op = s.Operator()
			s.op.Run(user)
		}
		Expect(s.Smile.Calls(before)).To(BeZero())
	})

	It("are read at the interval of the connection", func() {
		s.Change(s.conn, func() { s.conn.Spec.ResyncInterval = &metav1.Duration{Duration: 5 * time.Minute} })
		s.op.Run(s.conn)
		before := s.Smile.Mark()
		s.op.Live(time.Hour, user)
		Expect(reads(before)).To(Equal(12))
	})

	It("are read soon after a fresh link token", func() {
		other := s.provisioned("other", testenv.WithToken(testenv.TokenName))
		before := s.Smile.Mark()
		s.op.Live(6*time.Second, other)
		Expect(reads(before)).To(Equal(1))
		s.Smile.LinkGeorge(other.Status.UserID, "sss_ph")
		s.op.Live(5*time.Second, other)
		Expect(other.Status.Accounts.Connected).To(BeEquivalentTo(1))
		s.op.Live(10*time.Minute, other)
		Expect(reads(before)).To(And(BeNumerically(">=", 6), BeNumerically("<=", 9)), "5, 10, 20, 40, 80, 160, 320 s")
	})

	It("are read at once, and once, when an annotation requests it", func() {
		s.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
		s.Pass(time.Second)
		before := s.Smile.Mark()
		s.op.Run(user)
		Expect(user.Status.Accounts.Connected).To(BeZero())
		s.Annotate(user, v1alpha1.AnnotationRequestedAt, "now")
		s.op.Run(user)
		Expect(user.Status.Accounts.Connected).To(BeEquivalentTo(1))
		Expect(user.Status.LastHandledRequest).To(Equal("now"))
		s.op.Quiet(user)
		Expect(reads(before)).To(Equal(1))
	})

	It("are read once when the requesting annotation is longer than a status can hold", func() {
		s.Pass(time.Second)
		before := s.Smile.Mark()
		s.Annotate(user, v1alpha1.AnnotationRequestedAt, strings.Repeat("ñ", 300))
		s.op.Run(user)
		Expect(user.Status.LastHandledRequest).To(Equal(strings.Repeat("ñ", 256)))
		s.op.Quiet(user)
		Expect(reads(before)).To(Equal(1))
	})

	It("are read once more when Smile hints at a change after a requested read", func() {
		s.Pass(time.Second)
		s.Annotate(user, v1alpha1.AnnotationRequestedAt, "now")
		s.Smile.Break(sandbox.Fault{Operation: "list-accounts", Count: -1, Action: "status:500"})
		s.op.Fail(user, 1) // asked for at this time
		s.Smile.ClearFaults()
		s.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
		s.Pass(time.Second)
		s.op.Poll()
		before := s.Smile.Mark()
		s.Pass(time.Second)
		s.Smile.LinkGeorge(user.Status.UserID, "upwork")
		s.Hint(user)
		s.Pass(time.Second)
		s.op.Run(user)
		Expect(reads(before)).To(Equal(1))
		Expect(user.Status.Accounts.Connected).To(BeEquivalentTo(2))
		Expect(user.Status.LastHandledRequest).To(Equal("now"))
	})

	It("are read once after an event that arrived during a read, although the receiver's clock is behind", func() {
		s.Pass(time.Second)
		s.Annotate(user, v1alpha1.AnnotationRequestedAt, "now")
		s.op.Run(user)
		before := s.Smile.Mark()
		s.Pass(10 * time.Millisecond)
		s.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
		s.HintAt(user, s.Clock.Now().Add(-60*time.Millisecond))
		s.op.Run(user)
		Expect(reads(before)).To(Equal(1))
		Expect(user.Status.Accounts.Connected).To(BeEquivalentTo(1))
		s.Pass(time.Minute)
		s.op.Run(user)
		Expect(reads(before)).To(Equal(1))
	})

	It("are read once, soon after an event, although the receiver's clock is ahead", func() {
		before, hinted := s.Smile.Mark(), s.Clock.Now()
		s.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
		s.HintAt(user, hinted.Add(10*time.Minute))
		s.Pass(s.op.Run(user))
		s.op.Run(user)
		Expect(s.Clock.Since(hinted)).To(BeNumerically("<=", hook.Pause+time.Second))
		Expect(reads(before)).To(Equal(1))
		Expect(user.Status.Accounts.Connected).To(BeEquivalentTo(1))
		s.Pass(11 * time.Minute)
		s.op.Run(user)
		Expect(reads(before)).To(Equal(1))
	})

	It("are read after the last of a burst of events, although the receiver's clock is behind", func() {
		s.Pass(time.Second)
		before := s.Smile.Mark()
		first := s.Clock.Now().Add(-10 * time.Second)
		s.HintAt(user, first)
		s.op.Run(user)
		s.Pass(time.Second)
		s.HintAt(user, first.Add(hook.Pause))
		wait := s.op.Run(user)
		s.Pass(3 * time.Second)
		s.Smile.LinkGeorge(user.Status.UserID, "sss_ph") // about which the receiver stores nothing
		s.Pass(wait - 3*time.Second)
		s.op.Run(user)
		Expect(reads(before)).To(Equal(2))
		Expect(user.Status.Accounts.Connected).To(BeEquivalentTo(1))
	})

	It("of many people are read together when all are requested, and few reconciles wait for that", func() {
		users := make([]engine.Object, 40)
		for i := range users {
			user := s.provisioned(fmt.Sprintf("person-%d", i))
			s.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
			s.Annotate(user, v1alpha1.AnnotationRequestedAt, "now")
			users[i] = user
		}
		s.Pass(time.Second)
		before := s.Smile.Mark()
		s.Smile.Break(sandbox.Fault{Operation: "list-accounts", Count: -1, Action: "delay:1s"})
		together(s, users)
		s.Smile.ClearFaults()
		s.op.Live(2*time.Second, users...)
		Expect(reads(before)).To(BeNumerically("<=", len(users)/2))
		for _, user := range users {
			user := user.(*v1alpha1.SmileUser)
			Expect(user.Status.LastHandledRequest).To(Equal("now"))
			Expect(user.Status.Accounts.Connected).To(BeEquivalentTo(1))
		}
	})

	It("are not read on request while the connection is not ready, and the status shows that", func() {
		keys, _ := s.Secret(testenv.KeysName)
		s.Delete(keys)
		s.op.Run(s.conn, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)), "nothing is due")
		s.Annotate(user, v1alpha1.AnnotationRequestedAt, "now")
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonConnectionNotReady)))
		Expect(user.Status.LastHandledRequest).To(BeEmpty())
	})

	DescribeTable("keep their last count during failures, which are reported after the third time",
		func(action, reason string) {
			s.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
			s.op.Live(16*time.Minute, user)
			s.Annotate(user, v1alpha1.AnnotationRequestedAt, "now")
			s.Smile.Break(sandbox.Fault{Operation: "list-accounts", Count: -1, Action: action})
			s.op.Fail(user, 2)
			Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			s.op.Fail(user, 1)
			Expect(s.Outcome(user)).To(Equal(testenv.Waiting(reason)))
			Expect(user.Status.Accounts.Connected).To(BeEquivalentTo(1))
			s.op.Quiet(user)

			s.Smile.ClearFaults()
			s.op.Run(user)
			Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			Expect(user.Status.LastHandledRequest).To(Equal("now"))
		},
		Entry("500", "status:500", v1alpha1.ReasonSmileUnavailable),
		Entry("a page", "garbage", v1alpha1.ReasonInvalidResponse),
		Entry("half an answer", "truncate:60", v1alpha1.ReasonInvalidResponse),
		Entry("no answer", "reset", v1alpha1.ReasonSmileUnavailable),
	)

	It("of a user that no longer exists at Smile are reported at the next read of the next process", func() {
		s.Smile.Reset()
		s.op = s.Operator()
		s.op.Live(16*time.Minute, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonRemoteUserMissing)))
		Expect(s.people()).To(BeEmpty())
	})
})

var _ = Describe("A suspended SmileUser", func() {
	It("is not reconciled, keeps its conditions, and continues afterwards", func() {
		s := newScene(testenv.Config{})
		user := s.provisioned(testenv.UserName, testenv.WithToken(testenv.TokenName))
		s.Change(user, func() { user.Spec.Suspend = true })
		Expect(s.op.Run(user)).To(BeZero(), "nothing is planned")
		Expect(s.Condition(user, v1alpha1.ConditionSuspended)).To(Equal("True/Suspended"))
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.op.Quiet(user)

		before := s.Smile.Mark()
		s.op.Live(12*time.Hour, user)
		Expect(s.Smile.Calls(before)).To(BeZero())

		s.Change(user, func() { user.Spec.Suspend = false })
		s.op.Run(user)
		Expect(s.Condition(user, v1alpha1.ConditionSuspended)).To(BeEmpty())
		Expect(s.Smile.Calls(before, "create-token")).To(Equal(1), "the token has expired meanwhile")
	})

	It("is not created", func() {
		s := newScene(testenv.Config{})
		user := s.user(testenv.UserName, func(u *v1alpha1.SmileUser) { u.Spec.Suspend = true })
		s.op.Live(time.Hour, user)
		Expect(s.posts()).To(BeZero())
		Expect(s.Condition(user, v1alpha1.ConditionReady)).To(BeEmpty())
	})
})
