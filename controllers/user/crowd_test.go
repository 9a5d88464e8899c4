package user_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// crowd is the number of users in a world.
const crowd = 25

// crowds is the number of worlds: enough for 1,000 creations, or for SMILE_CREATES of them, as in the nightly run.
func crowds() uint64 {
	wanted, err := strconv.ParseUint(os.Getenv("SMILE_CREATES"), 10, 64)
	if err != nil {
		wanted = 1000
	}
	return (wanted + crowd - 1) / crowd
}

// turmoil is a world in which calls, listings, writes and processes fail at random while many users are created. What happens is
// drawn from a seed.
type turmoil struct {
	*scene
	random *rand.Rand
	users  []*v1alpha1.SmileUser
	killer *killer
	log    []string
}

func newTurmoil(seed uint64) *turmoil {
	GinkgoHelper()
	random := rand.New(rand.NewPCG(seed, 11))
	t := &turmoil{scene: lagging([]string{"0s", "5s", "60s", "110s"}[random.IntN(4)]), random: random}
	for i := range crowd {
		t.users = append(t.users, t.user(fmt.Sprintf("user-%d", i)))
	}
	t.restart()
	return t
}

// restart starts a new leader, whose connection to the API server will fail at one of its writes.
func (t *turmoil) restart() {
	t.killer = &killer{nth: 1 + t.random.IntN(2*crowd), after: t.random.IntN(2) == 0}
	t.op = t.Operator(t.killer.wrap)
	t.note("restart %+v", *t.killer)
}

func (t *turmoil) note(format string, values ...any) {
	t.log = append(t.log, t.Clock.Now().Format("15:04:05 ")+fmt.Sprintf(format, values...))
}

func (t *turmoil) pick(from ...string) string { return from[t.random.IntN(len(from))] }

// fault makes creates, listings or both fail from time to time.
func (t *turmoil) fault() {
	faults := []sandbox.Fault{{
		Operation: "create-user", Nth: 1 + t.random.IntN(5), Count: 1 + t.random.IntN(5),
		Phase: t.pick("before", "after"), Action: t.pick(misfortunes...),
	}}
	switch t.random.IntN(3) {
	case 0:
		faults = append(faults, sandbox.Fault{Operation: "list-users", Count: 1 + t.random.IntN(4), Action: t.pick(misfortunes...)})
	case 1:
		faults[0].Phase, faults[0].Action = "before", t.pick(refusals...)
	}
	t.Smile.Break(faults...)
	t.note("faults %+v", faults)
}

// misfortune is a fault between two reconciles.
func (t *turmoil) misfortune() {
	switch t.random.IntN(6) {
	case 0:
		t.fault()
	case 1:
		if t.killer.seen >= t.killer.nth || t.random.IntN(4) == 0 {
			t.restart()
		}
	case 2:
		d := time.Duration(t.random.IntN(150)) * time.Second
		t.Pass(d)
		t.note("%s pass", d)
	case 3:
		i := t.random.IntN(crowd)
		t.Delete(t.users[i])
		t.users[i] = t.user(t.users[i].Name)
		t.note("%s is declared again", t.users[i].Name)
	}
}

// survive creates all users with faults, and then without.
func (t *turmoil) survive() {
	GinkgoHelper()
	for _, i := range append(t.random.Perm(crowd), t.random.Perm(crowd)...) {
		if t.random.IntN(3) == 0 {
			t.misfortune()
		}
		_, err := t.op.Reconcile(t.users[i])
		t.note("%s: attempt %v, user %q, %v", t.users[i].Name, t.users[i].Status.CreateAttempt, t.users[i].Status.UserID, err)
	}
	t.Smile.ClearFaults()
	t.op = t.Operator()
	all := []engine.Object{t.conn}
	for _, user := range t.users {
		all = append(all, user)
	}
	t.op.Live(7*time.Minute, all...)
	ids := map[string]bool{}
	for _, user := range t.users {
		Expect(t.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)), user.Name)
		ids[user.Status.UserID] = true
	}
	Expect(t.people()).To(ConsistOf(slices.Collect(maps.Keys(ids))), "exactly the ids in the objects' statuses")
	Expect(ids).To(HaveLen(crowd), "each object has its own user")
}

var _ = Describe("Many persons in a turmoil", func() {
	for seed := range crowds() {
		It(fmt.Sprintf("are each one user at Smile in the end: seed %d", seed), func() {
			t := newTurmoil(seed)
			DeferCleanup(func() {
				if CurrentSpecReport().Failed() {
					GinkgoWriter.Println(strings.Join(t.log, "\n"))
				}
			})
			t.survive()
		})
	}
})
