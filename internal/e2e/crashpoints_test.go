//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

var discarded = log.New(io.Discard, "", 0)

const (
	// reachLimit is how long a call may take to come, on a busy machine: a start takes its time, and the Secret of a
	// connection is read again after 30 s.
	reachLimit = 4 * time.Minute
	// quietLimit is how long it takes at most until all is well: the settle time of 2 min and what follows it.
	quietLimit = 5 * time.Minute
)

// journey is something that the operator does for a person, of which each call may be its last.
type journey struct {
	name string
	// prepare makes what was before, with an operator that is ended afterwards; nil when that is nothing.
	prepare func(*environment)
	// begin is what people do.
	begin func(*environment)
	// done tells what is still missing.
	done func(*environment) string
	// right asserts that all is as it must be.
	right func(*environment)
}

var journeys = []journey{
	{
		name:  "create",
		begin: func(e *environment) { e.create(e.user("george")) },
		done:  ready,
		right: func(e *environment) {
			e.eachOnce(1)
			e.intendedFirst()
		},
	},
	{
		name: "create with a token",
		begin: func(e *environment) {
			user := e.user("george")
			user.Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: "george-token"}
			e.create(user)
		},
		done: ready,
		right: func(e *environment) {
			e.eachOnce(1)
			e.tokensWhole()
			if !e.get(&corev1.Secret{ObjectMeta: e.named("george-token")}) {
				e.t.Error("there is no token")
			}
		},
	},
	{
		name: "attach by subject",
		prepare: func(e *environment) {
			user := e.user("george")
			e.create(user)
			e.becomes(user, "True/Succeeded", quietLimit)
			e.delete(user)
		},
		begin: func(e *environment) { e.create(e.user("george")) },
		done:  ready,
		right: func(e *environment) { e.eachOnce(1) },
	},
	{
		name: "adopt by id",
		prepare: func(e *environment) {
			e.annotate(&corev1.Secret{ObjectMeta: e.named("smile-keys")}, v1alpha1.AnnotationAllowAdoption, "true")
			user := e.user("former")
			e.create(user)
			e.becomes(user, "True/Succeeded", quietLimit)
			e.delete(user)
		},
		begin: func(e *environment) {
			people, err := e.remote.Users(e.key.Key)
			if err != nil || len(people) != 1 {
				e.t.Fatalf("%d users, %v", len(people), err)
			}
			user := e.user("george")
			user.Spec.UserID = people[0].ID
			e.create(user)
		},
		done:  ready,
		right: func(e *environment) { e.eachOnce(1) },
	},
	{
		name: "revoke",
		prepare: func(e *environment) {
			e.linked("george")
			bystander := e.user("bystander")
			e.create(bystander)
			e.becomes(bystander, "True/Succeeded", quietLimit)
			e.link(bystander.Status.UserID, "sss_ph")
		},
		begin: func(e *environment) { e.delete(e.user("george")) },
		done: func(e *environment) string {
			if e.get(e.user("george")) {
				return "the object is there"
			}
			return ""
		},
		right: func(e *environment) {
			people, err := e.remote.Users(e.key.Key)
			if err != nil {
				e.t.Fatal(err)
			}
			linked := 0
			for _, person := range people {
				linked += len(person.Providers)
			}
			if revoked := len(e.remote.committed("delete-account", 0)); len(people) != 2 || linked != 1 || revoked != 2 {
				e.t.Errorf("%d people with %d accounts after %d were revoked, want 2, 1 and 2", len(people), linked, revoked)
			}
		},
	},
}

func ready(e *environment) string { return e.unready(1) }

// TestCrashPoints records every call that the operator makes on each journey, to the API server and to Smile, and then
// travels again once for each call and end of it: the operator is killed when it is about to send the call, or when
// the call was carried out and not answered. The next process must bring everything to the same end.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	chosen := journeys
	if testing.Short() {
		chosen = journeys[:1]
	}
	for _, j := range chosen {
		t.Run(j.name, func(t *testing.T) {
			t.Parallel()
			points := j.record(t)
			results := newTable(points)
			t.Cleanup(func() { t.Logf("%s: %d calls, each cut off twice\n%s", j.name, len(points), results) })
			for _, at := range points {
				for _, where := range []phase{arrived, made} {
					t.Run(fmt.Sprintf("%s: %s", at, where), func(t *testing.T) {
						t.Parallel()
						j.crash(t, at, where, results)
					})
				}
			}
		})
	}
}

// set makes an environment in which the journey can begin.
func (j journey) set(t *testing.T) *environment {
	e := newEnvironment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{})
	if j.prepare != nil {
		o := e.operator(t, e.only())
		j.prepare(e)
		o.stop()
	}
	j.begin(e)
	return e
}

func (j journey) arrives(e *environment) time.Duration {
	e.t.Helper()
	return within(e.t, quietLimit, "the journey is done", func() (bool, string) {
		state := j.done(e)
		return state == "", state
	})
}

// record travels without trouble and gives the calls that were made.
func (j journey) record(t *testing.T) []point {
	t.Helper()
	e := j.set(t)
	through := newTap(e.namespace)
	o := e.tapped(through)
	o.start()
	j.arrives(e)
	points := through.taken()
	o.stop()
	j.right(e)
	if len(points) < 5 {
		t.Fatalf("only %d calls were recorded: %v", len(points), points)
	}
	return points
}

// crash travels with a process that ends at a point, and another one after it.
func (j journey) crash(t *testing.T, at point, where phase, results *table) {
	e := j.set(t)
	through := newTap(e.namespace)
	through.hold(at, where)
	o := e.tapped(through)
	o.start()
	within(t, reachLimit, "the call is made: "+at.String(), func() (bool, string) {
		return through.isSprung(), fmt.Sprint(through.taken())
	})
	o.kill()
	through.release()
	o.start()
	took := j.arrives(e)
	during(t, 3*time.Second, func() string { return j.done(e) })
	j.right(e)
	if t.Failed() {
		results.note(at, where, "FAILED")
		return
	}
	results.note(at, where, seconds(took))
}

// table tells of each call how long after the crash all was well.
type table struct {
	mu     sync.Mutex
	points []point
	cells  map[point][2]string
}

func newTable(points []point) *table {
	return &table{points: slices.Clone(points), cells: map[point][2]string{}}
}

func (t *table) note(at point, where phase, result string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	cell := t.cells[at]
	cell[where] = result
	t.cells[at] = cell
}

func (t *table) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var text strings.Builder
	fmt.Fprintf(&text, "%-110s %-12s %s\n", "killed at", "before", "after it was done")
	for _, at := range t.points {
		cell := t.cells[at]
		for i, result := range cell {
			if result == "" {
				cell[i] = "NOT REACHED"
			}
		}
		fmt.Fprintf(&text, "%-110s %-12s %s\n", at, cell[arrived], cell[made])
	}
	return text.String()
}
