package user_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("Keys of the other mode", func() {
	// mixedUp is a connection in mode Sandbox with keys for production, which nothing shows before the first token.
	mixedUp := func() *scene {
		GinkgoHelper()
		w := testenv.New(GinkgoTB(), testenv.Config{})
		s := &scene{World: w, op: w.Operator(), conn: testenv.Connection(testenv.ConnectionName)}
		w.Create(s.conn, testenv.Keys(testenv.KeysName, testenv.Production))
		s.op.Run(s.conn)
		Expect(s.Outcome(s.conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		return s
	}

	It("stop everything at the first token, which is not stored", func() {
		s := mixedUp()
		user := s.user(testenv.UserName, testenv.WithToken(testenv.TokenName))
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonConnectionNotReady)))
		s.op.Run(s.conn)
		Expect(s.Outcome(s.conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonModeMismatch)))
		Expect(s.Condition(s.conn, v1alpha1.ConditionCredentialsValid)).To(Equal("False/ModeMismatch"))
		s.op.Quiet(s.conn)

		before := s.Smile.Mark()
		another := s.user("another")
		s.op.Live(5*time.Minute, s.conn, user, another)
		s.op = s.Operator()
		s.op.Live(5*time.Minute, s.conn, user, another)
		Expect(s.Smile.Calls(before)).To(BeZero())
		for _, u := range []*v1alpha1.SmileUser{user, another} {
			Expect(s.Outcome(u)).To(Equal(testenv.Waiting(v1alpha1.ReasonConnectionNotReady)))
			s.op.Quiet(u)
		}
		_, ok := s.Secret(testenv.TokenName)
		Expect(ok).To(BeFalse())
	})

	It("create at most one user, however many are declared at once", func() {
		s := mixedUp()
		var users []*v1alpha1.SmileUser
		for i := range 8 {
			users = append(users, s.user(fmt.Sprintf("user-%d", i)))
		}
		together(s, users)
		Expect(s.Smile.People(testenv.Production)).To(HaveLen(1))
	})

	It("can be replaced by the right ones; a user that was created with the wrong ones is then reported as missing, and not re-created", func() {
		s := mixedUp()
		user, another := s.user(testenv.UserName), s.user("another")
		s.op.Run(user, s.conn)
		keys, _ := s.Secret(testenv.KeysName)
		s.Change(keys, func() { keys.StringData = testenv.Keys("", testenv.One).StringData })
		s.op.Live(10*time.Second, s.conn)
		Expect(s.Outcome(s.conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.op.Live(time.Second, user, another)
		Expect(s.Outcome(another)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonRemoteUserMissing)))
		Expect(s.people()).To(Equal([]string{another.Status.UserID}))
	})
})
