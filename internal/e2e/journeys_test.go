//go:build e2e

package e2e

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
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
}

func ready(e *environment) string { return e.unready(1) }

func hooked(e *environment) string { return e.unhooked("events") }
