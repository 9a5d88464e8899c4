package user_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// settled is the time after which the outcome of any creation is known.
const settled = 3 * time.Minute

// cutOff is a creation without a readable response.
type cutOff struct {
	phase, action, lag string
	restart            bool
}

func (c cutOff) String() string {
	process := "in the same process"
	if c.restart {
		process = "in a new process"
	}
	return fmt.Sprintf("%s %s it was done, with a listing %s late, %s", c.action, c.phase, c.lag, process)
}

// every combines all faults that leave the outcome of a creation unknown.
func every(actions ...string) []cutOff {
	var all []cutOff
	for _, action := range actions {
		for _, phase := range []string{"before", "after"} {
			for _, lag := range []string{"0s", "30s", "90s"} {
				for _, restart := range []bool{false, true} {
					all = append(all, cutOff{phase, action, lag, restart})
				}
			}
		}
	}
	return all
}

// survive interrupts a creation, and checks what must be true whatever really
// happened.
func (c cutOff) survive() {
	GinkgoHelper()
	s := newScene(testenv.Config{Sandbox: sandbox.Options{Quirks: map[string]string{"list-lag": c.lag}}})
	user := s.user(testenv.UserName)
	s.Smile.Break(sandbox.Fault{Operation: "create-user", Phase: c.phase, Action: c.action})
	s.op.Run(user)
	s.Smile.Idle()
	Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonCreateOutcomeUnknown)))
	Expect(s.Condition(user, v1alpha1.ConditionProvisioned)).To(Equal("False/CreateOutcomeUnknown"))
	Expect(user.Status.CreateAttempt).NotTo(BeNil())
	s.op.Quiet(user)
	done := len(s.people()) == 1

	if c.restart {
		s.op = s.Operator()
	}
	s.op.Live(settled, user)
	Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	Expect(s.people()).To(Equal([]string{user.Status.UserID}), "exactly one user, and it is the object's")
	Expect(user.Status.CreateAttempt).To(BeNil())
	s.Operator().Quiet(user)
	if done {
		Expect(s.posts()).To(Equal(1))
		return
	}
	Expect(s.posts()).To(Equal(2))
	Expect(pause(s.Smile.Journal(0))).To(BeNumerically(">=", 2*time.Minute), "nothing is sent while the outcome is unknown")
}

// pause is the time between the first and the second creation.
func pause(journal []sandbox.JournalEntry) time.Duration {
	var at []time.Time
	for _, entry := range journal {
		if entry.Operation == "create-user" {
			at = append(at, entry.Time)
		}
	}
	return at[1].Sub(at[0])
}

var _ = Describe("A creation whose outcome is unknown", func() {
	for _, c := range every("reset", "status:500", "status:502", "status:504", "truncate:40", "empty", "garbage") {
		It("ends in exactly one user: "+c.String(), func() { c.survive() })
	}

	It("ends in exactly one user if Smile responds after the timeout", func() {
		var group sync.WaitGroup
		for _, c := range every("delay:8500ms") {
			group.Go(func() {
				defer GinkgoRecover()
				c.survive()
			})
		}
		group.Wait()
	})

	It("is not settled by a failed listing", func() {
		s := newScene(testenv.Config{})
		user := s.user(testenv.UserName)
		s.Smile.Break(
			sandbox.Fault{Operation: "create-user", Phase: "after", Action: "reset"},
			sandbox.Fault{Operation: "list-users", Nth: 2, Count: 12, Action: "status:500"},
		)
		s.op.Run(user)
		s.op.Live(2*time.Minute+5*time.Second, user)
		Expect(user.Status.UserID).To(BeEmpty())
		s.op.Live(time.Hour, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.people()).To(Equal([]string{user.Status.UserID}))
		Expect(s.posts()).To(Equal(1))
	})

	It("is settled for many by one listing", func() {
		s := newScene(testenv.Config{})
		var users []*v1alpha1.SmileUser
		s.Smile.Break(sandbox.Fault{Operation: "create-user", Count: 8, Phase: "after", Action: "reset"})
		for i := range 8 {
			users = append(users, s.user(fmt.Sprintf("user-%d", i)))
			s.op.Run(users[i])
		}
		before := s.Smile.Mark()
		s.Pass(settled)
		for _, user := range users {
			s.op.Run(user)
			Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		}
		Expect(s.people()).To(HaveLen(8))
		Expect(s.Smile.Calls(before, "list-users")).To(Equal(2), "two listings of one page")
	})

	It("is shown as unknown, and then as it was", func() {
		s := newScene(testenv.Config{})
		user := s.user(testenv.UserName)
		s.Smile.Break(sandbox.Fault{Operation: "create-user", Phase: "after", Action: "reset"})
		s.op.Live(settled, user)
		Expect(s.op.Reasons(user)).To(Equal([]string{v1alpha1.ReasonCreateOutcomeUnknown, v1alpha1.ReasonUserAdopted}))
	})
})

// errKilled is the error of all requests of a process that was killed.
var errKilled = fmt.Errorf("killed")

// killer stops a process at one of its writes to the API server, before or after the write is done.
type killer struct {
	nth   int
	after bool
	seen  int
}

func (k *killer) at(write func() error) error {
	k.seen++
	switch {
	case k.seen < k.nth:
		return write()
	case k.seen == k.nth && k.after:
		if err := write(); err != nil {
			return err
		}
	}
	return errKilled
}

func (k *killer) wrap(kube client.WithWatch) client.WithWatch {
	return interceptor.NewClient(kube, interceptor.Funcs{
		Create: func(ctx context.Context, inner client.WithWatch, obj client.Object, options ...client.CreateOption) error {
			if secret, ok := obj.(*corev1.Secret); ok && secret.Name != testenv.TokenName {
				return inner.Create(ctx, obj, options...) // the identity key, at the start
			}
			return k.at(func() error { return inner.Create(ctx, obj, options...) })
		},
		Update: func(ctx context.Context, inner client.WithWatch, obj client.Object, options ...client.UpdateOption) error {
			if _, ok := obj.(*coordinationv1.Lease); !ok {
				return inner.Update(ctx, obj, options...)
			}
			return k.at(func() error { return inner.Update(ctx, obj, options...) })
		},
		Patch: func(ctx context.Context, inner client.WithWatch, obj client.Object, patch client.Patch, options ...client.PatchOption) error {
			return k.at(func() error { return inner.Patch(ctx, obj, patch, options...) })
		},
		SubResourcePatch: func(ctx context.Context, inner client.Client, sub string, obj client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			return k.at(func() error { return inner.SubResource(sub).Patch(ctx, obj, patch, options...) })
		},
	})
}

var _ = Describe("A process that is killed while it creates a user", func() {
	for nth, write := range []string{"the takeover of the log", "the finalizer", "the intent", "its name in the log", "the token", "the status"} {
		for _, after := range []bool{false, true} {
			for _, restart := range []bool{false, true} {
				when := map[bool]string{false: "before", true: "after"}[after]
				who := map[bool]string{false: "the same process", true: "the next process"}[restart]
				It(fmt.Sprintf("leaves exactly one user to %s: killed %s it wrote %s", who, when, write), func() {
					s := newScene(testenv.Config{})
					k := &killer{nth: nth + 1, after: after}
					s.op = s.Operator(k.wrap)
					user := s.user(testenv.UserName, testenv.Revoking, testenv.WithToken(testenv.TokenName))
					s.op.Fail(user, 1)
					Expect(k.seen).To(BeNumerically(">", nth), "the process reached this step")

					k.nth = 1000
					if restart {
						s.op = s.Operator()
					}
					s.op.Live(settled, user)
					Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
					Expect(s.people()).To(Equal([]string{user.Status.UserID}))
					Expect(s.posts()).To(Equal(1))
					_, ok := s.Secret(testenv.TokenName)
					Expect(ok).To(BeTrue())
				})
			}
		}
	}
})
