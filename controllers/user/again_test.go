package user_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A SmileUser that is re-created many times", func() {
	It("keeps one user, for 200 objects and many processes", func() {
		s := lagging("20s")
		random := rand.New(rand.NewPCG(30, 26))
		user := s.provisioned(testenv.UserName)
		id := user.Status.UserID
		s.Pass(time.Minute)
		for i := range 200 {
			s.Delete(user)
			if random.IntN(2) == 0 {
				s.op.Run(user) // else nobody has seen that it was gone
			}
			if random.IntN(8) == 0 {
				s.op = s.Operator()
			}
			user = s.user(testenv.UserName)
			s.op.Live(settled, user)
			Expect(user.Status.UserID).To(Equal(id), "object %d", i)
		}
		Expect(s.people()).To(Equal([]string{id}))
		Expect(s.posts()).To(Equal(1))
	})

	for _, restart := range []bool{false, true} {
		process := map[bool]string{false: "in the same process", true: "with a new process"}[restart]
		It("keeps one user if the call for the previous object is still in flight, "+process, func() {
			s := lagging("110s")
			user := s.user(testenv.UserName)
			var again *v1alpha1.SmileUser
			s.op.Fence = func() error {
				s.op.Fence = func() error { return nil }
				s.Delete(user)
				again = s.user(testenv.UserName)
				return nil
			}
			_, _ = s.op.Reconcile(user.DeepCopy())
			if restart {
				s.op = s.Operator()
			}
			s.op.Live(10*time.Minute, again)
			Expect(s.Outcome(again)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			Expect(s.people()).To(Equal([]string{again.Status.UserID}))
			Expect(s.posts()).To(Equal(1))
		})
	}
})

// frozen is a cache whose watch has stopped: it returns SmileUsers as they were at some time, until it is thawed.
type frozen struct {
	mu    sync.Mutex
	users map[client.ObjectKey]*v1alpha1.SmileUser
}

func (f *frozen) freeze(users ...*v1alpha1.SmileUser) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users = map[client.ObjectKey]*v1alpha1.SmileUser{}
	for _, user := range users {
		f.users[client.ObjectKeyFromObject(user)] = user.DeepCopy()
	}
}

func (f *frozen) thaw() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users = nil
}

func (f *frozen) wrap(kube client.WithWatch) client.WithWatch {
	return interceptor.NewClient(kube, interceptor.Funcs{
		Get: func(ctx context.Context, inner client.WithWatch, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			user, ok := obj.(*v1alpha1.SmileUser)
			if !ok || f.users == nil {
				return inner.Get(ctx, key, obj, options...)
			}
			if f.users[key] == nil {
				return apierrors.NewNotFound(schema.GroupResource{Resource: "smileusers"}, key.Name)
			}
			f.users[key].DeepCopyInto(user)
			return nil
		},
		List: func(ctx context.Context, inner client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			users, ok := list.(*v1alpha1.SmileUserList)
			if !ok || f.users == nil {
				return inner.List(ctx, list, options...)
			}
			users.Items = nil
			for _, user := range f.users {
				users.Items = append(users.Items, *user)
			}
			return nil
		},
	})
}

var _ = Describe("A stale cache", func() {
	// declared is what the cache shows: an object that was just created.
	declared := func(lag string) (*scene, *frozen, *v1alpha1.SmileUser) {
		GinkgoHelper()
		s, f := lagging(lag), &frozen{}
		user := s.user(testenv.UserName)
		f.freeze(user)
		return s, f, user
	}
	// thawed checks the end: there is one user, and the object has it.
	thawed := func(s *scene, f *frozen, user *v1alpha1.SmileUser) {
		GinkgoHelper()
		f.thaw()
		s.op.Live(10*time.Minute, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.people()).To(Equal([]string{user.Status.UserID}))
		Expect(s.posts()).To(Equal(1))
	}

	It("causes no second user if it stops before the user was created", func() {
		s, f, user := declared("110s")
		s.op = s.Operator(f.wrap)
		s.op.Live(10*time.Minute, user)
		thawed(s, f, user)
	})

	It("causes no second user if it stops before the user was created by another process", func() {
		s, f, user := declared("110s")
		s.op.Run(user)
		s.op = s.Operator(f.wrap)
		s.op.Live(time.Minute, user)
		Expect(s.posts()).To(Equal(1))
		thawed(s, f, user)
	})

	It("causes no second user if it stops before a creation by another process was interrupted", func() {
		s, f, user := declared("110s")
		s.Smile.Break(sandbox.Fault{Operation: "create-user", Phase: "after", Action: "reset"})
		s.op.Run(user)
		s.op = s.Operator(f.wrap)
		s.op.Live(time.Minute, user)
		Expect(s.posts()).To(Equal(1))
		thawed(s, f, user)
	})

	It("causes no second user for an object that was deleted and re-created", func() {
		s, f, user := declared("0s")
		s.Delete(user)
		again := s.user(testenv.UserName)
		s.op = s.Operator(f.wrap)
		s.op.Live(10*time.Minute, user)
		Expect(s.posts()).To(BeZero())
		thawed(s, f, again)
	})
})
