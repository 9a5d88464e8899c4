package user_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// loop is an operator that is killed every minute.
type loop struct {
	*scene
	random *rand.Rand
	users  []engine.Object
	lives  int
}

// busy is the number of lives until every user was tried. Each life ends between two writes, and some creations get no response.
const busy = 3

// life is one minute.
func (l *loop) life() {
	GinkgoHelper()
	l.lives++
	ends := &killer{nth: 1000}
	l.Smile.ClearFaults()
	if l.lives <= busy {
		ends = &killer{nth: 2 + l.random.IntN(30), after: l.random.IntN(2) == 0}
		l.Smile.Break(sandbox.Fault{Operation: "create-user", Nth: 1 + l.random.IntN(4), Count: 2, Phase: "after", Action: "reset"})
	}
	l.op = l.Operator(ends.wrap)
	for range 2 {
		for _, i := range l.random.Perm(len(l.users)) {
			_, _ = l.op.Reconcile(l.users[i])
		}
		l.Pass(30 * time.Second)
	}
}

func (l *loop) ready() (count int) {
	for _, user := range l.users {
		if l.Outcome(user) == testenv.Ready(v1alpha1.ReasonSucceeded) {
			count++
		}
	}
	return count
}

var _ = Describe("An operator that is killed every minute", func() {
	for seed := range uint64(4) {
		It(fmt.Sprintf("makes every user Ready within 15 minutes, and creates none twice: seed %d", seed), func() {
			l := &loop{scene: lagging("110s"), random: rand.New(rand.NewPCG(seed, 12))}
			for i := range 20 {
				l.users = append(l.users, l.user(fmt.Sprintf("user-%d", i)))
			}
			began := l.Clock.Now()
			for l.ready() < len(l.users) {
				Expect(l.Clock.Since(began)).To(BeNumerically("<=", 15*time.Minute), "%d are Ready", l.ready())
				l.life()
			}
			GinkgoWriter.Printf("%d users Ready after %s\n", len(l.users), l.Clock.Since(began))
			Expect(l.people()).To(HaveLen(len(l.users)))
		})
	}
})
