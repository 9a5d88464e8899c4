package user_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// lagging is a world in which listings show a new user late.
func lagging(lag string) *scene {
	GinkgoHelper()
	return newScene(testenv.Config{Sandbox: sandbox.Options{Quirks: map[string]string{"list-lag": lag}}})
}

// created makes a creation succeed without a response to this process.
func (s *scene) created(name string, changes ...func(*v1alpha1.SmileUser)) *v1alpha1.SmileUser {
	GinkgoHelper()
	s.Smile.Break(sandbox.Fault{Operation: "create-user", Phase: "after", Action: "reset"})
	made := s.user(name, changes...)
	s.op.Run(made)
	Expect(s.people()).To(HaveLen(1))
	return made
}

var _ = Describe("A new leader", func() {
	for _, lag := range []string{"0s", "110s"} {
		It("creates no user twice whose object was deleted and re-created, with a listing "+lag+" late", func() {
			s := lagging(lag)
			former := s.created(testenv.UserName)
			s.op = s.Operator()
			s.Delete(former)
			again := s.user(testenv.UserName)
			s.op.Run(again)
			if lag != "0s" {
				Expect(s.Outcome(again)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
				Expect(s.op.Reasons(again)).To(BeEmpty(), "no event reports it")
				s.op.Quiet(again)
			}
			s.op.Live(settled, again)
			Expect(s.Outcome(again)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			Expect(s.people()).To(Equal([]string{again.Status.UserID}))
			Expect(s.posts()).To(Equal(1))
		})

		It("creates no user twice whose object is re-created only later, with a listing "+lag+" late", func() {
			s := lagging(lag)
			former := s.created(testenv.UserName)
			s.op = s.Operator()
			s.Delete(former)
			s.op.Run(s.user("somebody")) // for whom all are listed
			s.Pass(settled)
			again := s.user(testenv.UserName)
			s.op.Run(again)
			Expect(s.Outcome(again)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)), "without waiting")
			Expect(s.posts()).To(Equal(2), "one of the two is that of the user somebody")
		})

		It("creates no user twice that has a second object with another name, with a listing "+lag+" late", func() {
			s := lagging(lag)
			s.Create(customers(map[string]string{"george": "C-4711"}))
			second := s.user("second", testenv.WithSubject("customers", "george"))
			first := s.created("first", testenv.WithSubject("customers", "george"))
			s.op = s.Operator()
			s.op.Live(10*time.Minute, second, first)
			Expect(s.people()).To(HaveLen(1))
			Expect([]testenv.Outcome{s.Outcome(first), s.Outcome(second)}).To(ConsistOf(
				testenv.Ready(v1alpha1.ReasonSucceeded), testenv.Stalled(v1alpha1.ReasonUserIDConflict)))
		})
	}

	It("makes one more listing for all open calls, and then none", func() {
		s := lagging("0s")
		s.Smile.Break(sandbox.Fault{Operation: "create-user", Count: 3, Phase: "after", Action: "reset"})
		var cut []*v1alpha1.SmileUser
		for i := range 3 {
			cut = append(cut, s.user(fmt.Sprintf("cut-%d", i)))
			s.op.Run(cut[i])
			s.Delete(cut[i])
		}
		s.op = s.Operator()
		before := s.Smile.Mark()
		for i := range cut {
			s.provisioned(fmt.Sprintf("cut-%d", i))
		}
		Expect(s.Smile.Calls(before, "list-users")).To(Equal(1))
		Expect(s.Smile.Calls(before, "create-user")).To(BeZero())
	})

	It("does not delay users that the previous leader has not named", func() {
		s := lagging("110s")
		s.created("cut")
		s.op = s.Operator()
		s.provisioned(testenv.UserName)
	})

	It("delays all users, once, if the log is lost", func() {
		s := lagging("110s")
		former := s.created(testenv.UserName)
		s.loseLog()
		s.op = s.Operator()
		s.Delete(former)
		again, other := s.user(testenv.UserName), s.user("other")
		s.op.Run(again, other)
		Expect(s.Outcome(again)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		Expect(s.Outcome(other)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		s.op.Quiet(other)
		s.op.Live(settled, again, other)
		Expect(s.Outcome(again)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Outcome(other)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.people()).To(ConsistOf(again.Status.UserID, other.Status.UserID))
		Expect(s.posts()).To(Equal(2))
		s.op = s.Operator()
		s.provisioned("later")
	})

	It("creates no user until it has taken over the log", func() {
		s := newScene(testenv.Config{})
		dead := &killer{nth: 1}
		s.op = s.Operator(dead.wrap)
		user := s.user(testenv.UserName)
		s.op.Fail(user, 1)
		Expect(s.Smile.Calls(0, "list-users", "create-user")).To(BeZero())
		dead.nth = 1000
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("creates no user once another process has taken over the log", func() {
		s := newScene(testenv.Config{})
		former := s.op
		s.op = s.Operator()
		user := s.user(testenv.UserName)
		former.Fail(user, 1)
		Expect(s.posts()).To(BeZero())
		s.op.Live(settled, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.posts()).To(Equal(1))
	})

	It("remembers, even without leader election, an attempt that it has seen and whose object is then re-created", func() {
		s := lagging("110s")
		former := s.created(testenv.UserName)
		s.op = s.Operator()
		s.op.Run(former)
		s.Delete(former)
		again := s.user(testenv.UserName)
		s.op.Live(10*time.Minute, again)
		Expect(s.Outcome(again)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.people()).To(Equal([]string{again.Status.UserID}))
	})
})

var _ = Describe("A status that differs from the last write of the operator", func() {
	older := map[string]func(*v1alpha1.SmileUser, v1alpha1.CreateAttempt){
		"no fields": func(user *v1alpha1.SmileUser, _ v1alpha1.CreateAttempt) { user.Status = v1alpha1.SmileUserStatus{} },
		"an older attempt": func(user *v1alpha1.SmileUser, first v1alpha1.CreateAttempt) {
			user.Status = v1alpha1.SmileUserStatus{CreateAttempt: &first}
		},
		"an attempt in the future": func(user *v1alpha1.SmileUser, first v1alpha1.CreateAttempt) {
			first.StartedAt.Time = first.StartedAt.AddDate(1, 0, 0)
			user.Status = v1alpha1.SmileUserStatus{CreateAttempt: &first}
		},
	}
	for name, restore := range older {
		It("with "+name+" causes no second user right after a call was interrupted", func() {
			s := lagging("110s")
			user := s.created(testenv.UserName)
			first := *user.Status.CreateAttempt
			s.ChangeStatus(user, func() { restore(user, first) })
			s.op.Live(10*time.Minute, user)
			Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			Expect(s.people()).To(Equal([]string{user.Status.UserID}))
			Expect(s.posts()).To(Equal(1))
		})

		for _, restart := range []bool{false, true} {
			process := map[bool]string{false: "the same process", true: "the next one"}[restart]
			It("with "+name+" causes no second user for "+process+" when there is one", func() {
				s := newScene(testenv.Config{})
				user := s.user(testenv.UserName)
				var first v1alpha1.CreateAttempt
				s.op.Fence = func() error {
					s.Get(user)
					first = *user.Status.CreateAttempt
					return nil
				}
				s.op.Run(user)
				id := user.Status.UserID
				if restart {
					s.op = s.Operator()
				}
				s.ChangeStatus(user, func() { restore(user, first) })
				s.op.Live(10*time.Minute, user)
				Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
				Expect(user.Status.UserID).To(Equal(id))
				Expect(s.people()).To(Equal([]string{id}))
			})
		}
	}
})

// loseLog deletes the creation log.
func (s *scene) loseLog() {
	GinkgoHelper()
	name := s.CreationLog()
	s.Delete(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}})
}
