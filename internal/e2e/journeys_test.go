//go:build e2e

package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// journey is something that the operator does for a person, during which the operator may be killed at any call.
type journey struct {
	name string
	// prepare sets up the initial state, with an operator that is ended afterwards; nil if there is nothing to set up.
	prepare func(*environment)
	// begin is what people do.
	begin func(*environment)
	// done returns what is still missing.
	done func(*environment) string
	// right checks the final state.
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
	{
		name: "register",
		begin: func(e *environment) {
			e.strange()
			e.create(e.subscription("events"))
		},
		done:  hooked,
		right: func(e *environment) { e.eachHooked(2) },
	},
	{
		name:    "replace",
		prepare: func(e *environment) { e.subscribed("events") },
		begin:   func(e *environment) { e.patch(e.subscription("events"), `{"spec":{"eventTypes":["TASK_FINISHED"]}}`) },
		done:    hooked,
		right:   func(e *environment) { e.eachHooked(3) },
	},
	{
		name:    "delete",
		prepare: func(e *environment) { e.subscribed("events", "bystander") },
		begin:   func(e *environment) { e.delete(e.subscription("events")) },
		done: func(e *environment) string {
			switch {
			case e.get(e.subscription("events")):
				return "the object is there"
			case e.get(e.pairSecret("events")):
				return "the Secret of its pairs is there"
			}
			return ""
		},
		right: func(e *environment) { e.eachHooked(3) },
	},
	{
		name:    "fetch",
		prepare: func(e *environment) { e.linkedOnce("george") },
		begin:   func(e *environment) { e.create(e.sync("george")) },
		done:    func(e *environment) string { return e.unsynced("george", true) },
		right: func(e *environment) {
			e.eachOnce(1)
			e.revoked(0)
		},
	},
	{
		name:    "release",
		prepare: func(e *environment) { e.linkedOnce("george") },
		begin: func(e *environment) {
			sync := e.sync("george")
			sync.Spec.RevokeAfterFetch = true
			e.create(sync)
		},
		done: func(e *environment) string {
			sync := e.sync("george")
			if e.get(sync) && (len(sync.Status.Accounts) != 1 || sync.Status.Accounts[0].ConnectionStatus != "DISCONNECTED") {
				return "the status does not show the revoke"
			}
			return e.unsynced("george", true)
		},
		right: func(e *environment) {
			e.eachOnce(1)
			e.revoked(1)
		},
	},
	{
		name: "withdraw",
		prepare: func(e *environment) {
			e.ledgerExists()
			e.syncedOnce("george")
		},
		begin: func(e *environment) { e.withdraw("george") },
		done:  func(e *environment) string { return e.unsynced("george", false) },
		right: func(e *environment) {
			e.eachOnce(1)
			e.revoked(0)
		},
	},
}

// journeyVariable names the journeys to run: a name, "today" for one that the date chooses, or "all".
const journeyVariable = "E2E_JOURNEY"

// chosenJourneys skips the test where no journey is chosen.
func chosenJourneys(t *testing.T) []journey {
	t.Helper()
	switch name := os.Getenv(journeyVariable); name {
	case "":
		t.Skip(journeyVariable + " is not set: each journey takes minutes")
	case "all":
		return journeys
	case "today":
		return []journey{journeyOf(time.Now())}
	default:
		for _, j := range journeys {
			if j.name == name {
				return []journey{j}
			}
		}
		t.Fatalf("%s: there is no journey %q", journeyVariable, name)
	}
	return nil
}

// eachJourney runs a subtest for each chosen journey. A single one is recorded at once, so that its many trials are queued early.
func eachJourney(t *testing.T, try func(*testing.T, journey)) {
	t.Helper()
	chosen := chosenJourneys(t)
	for _, j := range chosen {
		t.Run(j.name, func(t *testing.T) {
			if len(chosen) > 1 {
				t.Parallel()
			}
			try(t, j)
		})
	}
}

// journeyOf is the journey of a day, so that each has its turn.
func journeyOf(date time.Time) journey {
	return journeys[int(date.Unix()/(24*60*60))%len(journeys)]
}

func TestEachJourneyHasItsDay(t *testing.T) {
	t.Parallel()
	first, seen := time.Date(2026, 12, 30, 23, 0, 0, 0, time.UTC), map[string]bool{}
	for i := range journeys {
		seen[journeyOf(first.AddDate(0, 0, i)).name] = true
	}
	if len(seen) != len(journeys) {
		t.Errorf("%d journeys have a day among %d days in a row, want all", len(seen), len(journeys))
	}
}

// linkedOnce declares a user and links one account.
func (e *environment) linkedOnce(name string) {
	e.t.Helper()
	user := e.user(name)
	e.create(user)
	e.becomes(user, "True/Succeeded", quietLimit)
	e.link(user.Status.UserID, "sss_ph")
}

// syncedOnce links an account and waits until its data is in the output.
func (e *environment) syncedOnce(name string) {
	e.t.Helper()
	e.linkedOnce(name)
	sync := e.sync(name)
	sync.Annotations = map[string]string{v1alpha1.AnnotationRequestedAt: "linked"} // no poll is due
	e.create(sync)
	within(e.t, quietLimit, "there is data", func() (bool, string) {
		state := e.unsynced(name, true)
		return state == "", state
	})
}

// withdraw disconnects the account of a sync, and requests a reconcile.
func (e *environment) withdraw(name string) {
	e.t.Helper()
	sync := e.sync(name)
	e.get(sync)
	e.disconnect(sync.Status.Accounts[0].ID)
	e.annotate(sync, v1alpha1.AnnotationRequestedAt, "withdrawn")
}

// ledgerExists has a first erasure recorded if there was none. The operators of all tests share the ledger, and only the first
// record creates it.
func (e *environment) ledgerExists() {
	e.t.Helper()
	ledger := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: account.Namespace, Name: output.ErasureLedger + "-0"}}
	if e.get(ledger) {
		return
	}
	first := newEnvironment(e.t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{})
	o := first.operator(e.t, first.only())
	first.syncedOnce("george")
	first.withdraw("george")
	within(e.t, quietLimit, "the data is erased", func() (bool, string) {
		state := first.unsynced("george", false)
		return state == "", state
	})
	o.stop()
}

// unsynced says why a sync is not Ready with an output that holds data, or holds none.
func (e *environment) unsynced(name string, holds bool) string {
	e.t.Helper()
	sync, data := e.sync(name), e.data(name)
	if !e.get(sync) {
		return "the sync does not exist"
	}
	if state := readiness(sync); !strings.HasPrefix(state, "True/") {
		return "the sync is " + state
	}
	if missing := e.incomplete(data); holds != (len(missing) == 0) || !holds && len(data) > 0 {
		return "the output lacks " + strings.Join(missing, ", ")
	}
	return ""
}

// incomplete lists the keys that an output with all of the data of an account lacks.
func (e *environment) incomplete(data map[string]string) []string {
	return slices.DeleteFunc(
		[]string{"identities.json", "employments.json", "contributions.json", "liabilities.json", "eincomes.json"},
		func(key string) bool { return len(data[key]) > len("[]\n") })
}

func ready(e *environment) string { return e.unready(1) }

func hooked(e *environment) string { return e.unhooked("events") }
