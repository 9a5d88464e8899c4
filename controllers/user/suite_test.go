package user_test

import (
	"os"
	"sync"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

func TestSmileUser(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "SmileUser")
}

// scene is a world with a connection that works.
type scene struct {
	*testenv.World
	op   *testenv.Operator
	conn *v1alpha1.SmileConnection
}

func newScene(config testenv.Config) *scene {
	GinkgoHelper()
	w := testenv.New(GinkgoTB(), config)
	s := &scene{World: w, op: w.Operator(), conn: testenv.Connection(testenv.ConnectionName)}
	w.Create(s.conn, testenv.Keys(testenv.KeysName, testenv.One))
	s.op.Run(s.conn)
	return s
}

// user creates a SmileUser without reconciling it.
func (s *scene) user(name string, changes ...func(*v1alpha1.SmileUser)) *v1alpha1.SmileUser {
	GinkgoHelper()
	user := testenv.User(name, changes...)
	s.Create(user)
	return user
}

// provisioned creates a SmileUser and reconciles it until it is Ready.
func (s *scene) provisioned(name string, changes ...func(*v1alpha1.SmileUser)) *v1alpha1.SmileUser {
	GinkgoHelper()
	user := s.user(name, changes...)
	s.op.Run(user)
	Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	return user
}

// together reconciles all objects at once.
func together[T engine.Object](s *scene, objects []T) {
	GinkgoHelper()
	var group sync.WaitGroup
	for _, obj := range objects {
		group.Go(func() {
			defer GinkgoRecover()
			s.op.Run(obj)
		})
	}
	group.Wait()
}

// people returns the ids of the users at Smile.
func (s *scene) people() []string {
	GinkgoHelper()
	var ids []string
	for _, u := range s.Smile.People(testenv.One) {
		ids = append(ids, u.ID)
	}
	return ids
}

// posts counts the calls that create users.
func (s *scene) posts() int { return s.Smile.Calls(0, "create-user") }
