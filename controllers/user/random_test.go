package user_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// trial is a user whose two objects are created, deleted and re-created, while Smile, the process and the API server fail at
// random. What happens is drawn from a seed, so that a failed trial can be repeated.
type trial struct {
	*scene
	random *rand.Rand
	users  map[string]*v1alpha1.SmileUser
	killer *killer
	log    []string
}

// misfortunes leave the outcome of a call unknown; refusals show that nothing was done.
var (
	misfortunes = []string{"reset", "status:500", "status:502", "status:504", "truncate:30", "empty", "garbage"}
	refusals    = []string{"status:400", "status:403", "status:415"}
)

func (t *trial) pick(from []string) string { return from[t.random.IntN(len(from))] }

// steps are what can happen, each as often as it is listed here.
var steps = map[string]func(*trial) string{
	"declare": func(t *trial) string {
		name := t.pick([]string{"first", "second"})
		if t.users[name] == nil {
			t.users[name] = t.user(name, testenv.WithSubject("customers", "george"), testenv.WithToken(name+"-token"))
		}
		return name
	},
	"delete": func(t *trial) string {
		name := t.pick([]string{"first", "second"})
		if user := t.users[name]; user != nil {
			t.Delete(user)
			if token, ok := t.Secret(name + "-token"); ok {
				t.Delete(token) // as the garbage collector does
			}
			_, _ = t.op.Reconcile(user)
			delete(t.users, name)
		}
		return name
	},
	"pass 1": (*trial).pass, "pass 2": (*trial).pass, "pass 3": (*trial).pass, "pass 4": (*trial).pass,
	"wait": func(t *trial) string {
		d := time.Duration(t.random.IntN(180)) * time.Second
		t.Pass(d)
		return d.String()
	},
	"break creating": func(t *trial) string {
		return t.breaks(sandbox.Fault{
			Operation: "create-user", Nth: 1 + t.random.IntN(2), Count: 1 + t.random.IntN(2),
			Phase: t.pick([]string{"before", "after"}), Action: t.pick(misfortunes),
		})
	},
	"refuse creating": func(t *trial) string {
		return t.breaks(sandbox.Fault{Operation: "create-user", Count: 1 + t.random.IntN(2), Action: t.pick(refusals)})
	},
	"break listing": func(t *trial) string {
		return t.breaks(sandbox.Fault{Operation: "list-users", Count: 1 + t.random.IntN(4), Action: t.pick(misfortunes)})
	},
	"clear faults": func(t *trial) string { t.Smile.ClearFaults(); return "" },
	"restart": func(t *trial) string {
		t.restart(1 + t.random.IntN(6))
		return fmt.Sprintf("%+v", *t.killer)
	},
}

func (t *trial) pass() string {
	name := t.pick([]string{"first", "second"})
	if user := t.users[name]; user != nil {
		_, err := t.op.Reconcile(user)
		return fmt.Sprintf("%s: %v %v", name, t.Outcome(user), err)
	}
	return name
}

// trials is the number of trials: SMILE_TRIALS if it is set, as in the nightly run.
func trials() uint64 {
	if wanted, err := strconv.ParseUint(os.Getenv("SMILE_TRIALS"), 10, 64); err == nil {
		return wanted
	}
	return 16
}

func (t *trial) breaks(fault sandbox.Fault) string {
	t.Smile.Break(fault)
	return fmt.Sprintf("%+v", fault)
}

// restart starts a new process, whose connection to the API server will fail at one of its writes.
func (t *trial) restart(nth int) {
	t.killer = &killer{nth: nth, after: t.random.IntN(2) == 0}
	t.op = t.Operator(t.killer.wrap)
}

var _ = Describe("However much goes wrong", func() {
	names := []string{
		"declare", "delete", "pass 1", "pass 2", "pass 3", "pass 4", "wait", "break creating", "refuse creating", "break listing",
		"clear faults", "restart",
	}
	for seed := range trials() {
		It(fmt.Sprintf("a person has one user at Smile, and each object gets it: seed %d", seed), func() {
			t := &trial{
				scene: newScene(testenv.Config{}), random: rand.New(rand.NewPCG(seed, 26)), users: map[string]*v1alpha1.SmileUser{},
			}
			DeferCleanup(func() {
				if CurrentSpecReport().Failed() {
					GinkgoWriter.Println(strings.Join(t.log, "\n"))
				}
			})
			t.Create(customers(map[string]string{"george": "C-4711"}))
			t.restart(1000)
			for range 60 {
				name := t.pick(names)
				t.log = append(t.log, name+" "+steps[name](t))
				Expect(len(t.people())).To(BeNumerically("<=", 1), "after %s", name)
			}

			t.log = append(t.log, "all is well again")
			t.Smile.ClearFaults()
			steps["declare"](t)
			t.op = t.Operator()
			for _, user := range t.users {
				t.op.Live(10*time.Minute, t.conn, user)
			}
			var outcomes []testenv.Outcome
			for _, user := range t.users {
				outcomes = append(outcomes, t.Outcome(user))
			}
			Expect(outcomes).To(ContainElement(testenv.Ready(v1alpha1.ReasonSucceeded)))
			if len(outcomes) == 2 {
				Expect(outcomes).To(ContainElement(testenv.Stalled(v1alpha1.ReasonUserIDConflict)))
			}
			Expect(t.people()).To(HaveLen(1))
		})
	}
})
