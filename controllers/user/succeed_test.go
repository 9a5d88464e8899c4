package user_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/controllers/user"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// lagging is a world in which listings show a user only after a while.
func lagging(lag string) *scene {
	GinkgoHelper()
	return newScene(testenv.Config{Sandbox: sandbox.Options{Quirks: map[string]string{"list-lag": lag}}})
}

// created has a creation succeed of which this process never hears.
func (s *scene) created(name string, changes ...func(*v1alpha1.SmileUser)) *v1alpha1.SmileUser {
	GinkgoHelper()
	s.Smile.Break(sandbox.Fault{Operation: "create-user", Phase: "after", Action: "reset"})
	made := s.user(name, changes...)
	s.op.Run(made)
	Expect(s.people()).To(HaveLen(1))
	return made
}

var _ = Describe("A process that leads after another", func() {
	for _, lag := range []string{"0s", "110s"} {
		It("makes nobody twice of whom the other left no trace: deleted and declared again, with a listing "+lag+" late", func() {
			s := lagging(lag)
			former := s.created(testenv.UserName)
			s.op = s.Successor()
			s.Delete(former)
			again := s.user(testenv.UserName)
			s.op.Run(again)
			if lag != "0s" {
				Expect(s.Outcome(again)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
				Expect(s.op.Reasons(again)).To(BeEmpty(), "that is nothing to worry about")
				s.op.Quiet(again)
			}
			s.op.Live(settled, again)
			Expect(s.Outcome(again)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			Expect(s.people()).To(Equal([]string{again.Status.UserID}))
			Expect(s.posts()).To(Equal(1))
		})

		It("makes nobody twice who is declared again only later, with a listing "+lag+" late", func() {
			s := lagging(lag)
			former := s.created(testenv.UserName)
			s.op = s.Successor()
			s.Delete(former)
			s.op.Run(s.user("somebody")) // for whom all are listed
			s.Pass(settled)
			again := s.user(testenv.UserName)
			s.op.Run(again)
			Expect(s.Outcome(again)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)), "without waiting")
			Expect(s.posts()).To(Equal(1))
		})

		It("makes nobody twice who is declared under another name too, with a listing "+lag+" late", func() {
			s := lagging(lag)
			s.Create(customers(map[string]string{"george": "C-4711"}))
			second := s.user("second", testenv.WithSubject("customers", "george"))
			first := s.created("first", testenv.WithSubject("customers", "george"))
			s.op = s.Successor()
			s.op.Live(10*time.Minute, second, first)
			Expect(s.people()).To(HaveLen(1))
			Expect([]testenv.Outcome{s.Outcome(first), s.Outcome(second)}).To(ConsistOf(
				testenv.Ready(v1alpha1.ReasonSucceeded), testenv.Stalled(v1alpha1.ReasonUserIDConflict)))
		})
	}

	It("lists once more for all, and then never again", func() {
		s := newScene(testenv.Config{})
		s.op = s.Successor()
		s.op.Run(s.user("early"))
		s.Pass(settled)
		before := s.Smile.Mark()
		for i := range 5 {
			s.provisioned(fmt.Sprintf("user-%d", i))
		}
		Expect(s.Smile.Calls(before, "list-users")).To(Equal(2), "two passes of one page")
		Expect(s.Smile.Calls(before, "create-user")).To(Equal(5))
	})

	// succession is of a leader that took over so long after an object was declared, by the API server's clock.
	succession := func(of *v1alpha1.SmileUser, d time.Duration) func() user.Succession {
		at := of.CreationTimestamp.Add(d)
		return func() user.Succession { return user.Succession{Sent: at, Led: at} }
	}

	It("does not hold back who was declared minutes before it took over, unless the subject can have another name", func() {
		s := newScene(testenv.Config{})
		s.Create(customers(map[string]string{"george": "C-4711"}))
		plain, named := s.user("plain"), s.user("named", testenv.WithSubject("customers", "george"))
		s.op.Before = succession(plain, 4*time.Minute)
		s.op.Run(plain, named)
		Expect(s.Outcome(plain)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Outcome(named)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))

		young := s.user("young")
		s.op.Before = succession(young, 2*time.Minute)
		s.op.Run(young)
		Expect(s.Outcome(young)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
	})

	It("holds nobody back when the other has sent nothing for long", func() {
		s := newScene(testenv.Config{})
		now := s.Clock.Now()
		s.op.Before = func() user.Succession { return user.Succession{Sent: now.Add(-2 * time.Minute), Led: now} }
		s.provisioned(testenv.UserName)
		Expect(s.Smile.Calls(0, "list-users")).To(Equal(1))
	})

	It("knows even without leader election of an attempt that it has seen, whose object is then declared again", func() {
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

var _ = Describe("A status that is not what the operator wrote last", func() {
	older := map[string]func(*v1alpha1.SmileUser, v1alpha1.CreateAttempt){
		"nothing": func(user *v1alpha1.SmileUser, _ v1alpha1.CreateAttempt) { user.Status = v1alpha1.SmileUserStatus{} },
		"an attempt of before": func(user *v1alpha1.SmileUser, first v1alpha1.CreateAttempt) {
			user.Status = v1alpha1.SmileUserStatus{CreateAttempt: &first}
		},
		"an attempt of the future": func(user *v1alpha1.SmileUser, first v1alpha1.CreateAttempt) {
			first.StartedAt.Time = first.StartedAt.AddDate(1, 0, 0)
			user.Status = v1alpha1.SmileUserStatus{CreateAttempt: &first}
		},
	}
	for name, restore := range older {
		It("but "+name+" makes no second user right after a call was cut off", func() {
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
			It("but "+name+" makes no second user for "+process+" when there is one", func() {
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

var _ = Describe("Two SmileUsers with one subject in two workers", func() {
	It("have one user when the first is created after the second has found nobody", func() {
		s := newScene(testenv.Config{})
		s.Create(customers(map[string]string{"george": "C-4711"}))
		first, second := s.user("first", testenv.WithSubject("customers", "george")), s.user("second", testenv.WithSubject("customers", "george"))
		s.op.Before = func() user.Succession { // asked between looking and reserving
			s.op.Before = func() user.Succession { return user.Succession{} }
			s.op.Run(first)
			return user.Succession{}
		}
		s.op.Run(second)
		Expect(s.Outcome(first)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Outcome(second)).To(Equal(testenv.Stalled(v1alpha1.ReasonUserIDConflict)))
		Expect(s.people()).To(HaveLen(1))
	})
})
