//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/audit"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// user declares a person.
func (e *environment) user(name string) *v1alpha1.SmileUser {
	return &v1alpha1.SmileUser{
		ObjectMeta: e.named(name),
		Spec:       v1alpha1.SmileUserSpec{ConnectionRef: v1alpha1.ConnectionReference{Name: "smile"}},
	}
}

// crowd creates a number of users, whose names have the same prefix.
func (e *environment) crowd(prefix string, n int) []client.Object {
	users := make([]client.Object, n)
	for i := range users {
		users[i] = e.user(fmt.Sprintf("%s-%03d", prefix, i))
	}
	return users
}

func (e *environment) users() []v1alpha1.SmileUser {
	e.t.Helper()
	var list v1alpha1.SmileUserList
	if err := e.admin.List(e.t.Context(), &list, client.InNamespace(e.namespace)); err != nil {
		e.t.Fatal(err)
	}
	return list.Items
}

// allReady waits until this number of users exists in the cluster and all are Ready.
func (e *environment) allReady(n int, limit time.Duration) time.Duration {
	e.t.Helper()
	return within(e.t, limit, fmt.Sprintf("%d SmileUsers are Ready", n), func() (bool, string) {
		state := e.unready(n)
		return state == "", state
	})
}

// unready returns the state of the users, or "" if this number exists and all are Ready.
func (e *environment) unready(n int) string {
	e.t.Helper()
	return notReady(e.users(), n)
}

// notReady counts users by their readiness, unless there are n and all are Ready.
func notReady(users []v1alpha1.SmileUser, n int) string {
	states := map[string]int{}
	for _, user := range users {
		states[readiness(&user)]++
	}
	if maps.Equal(states, map[string]int{"True/Succeeded": n}) {
		return ""
	}
	return "users are " + listed(states)
}

func readiness(object engine.Object) string {
	ready := meta.FindStatusCondition(object.CommonStatus().Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return "no condition"
	}
	return string(ready.Status) + "/" + ready.Reason
}

// becomes waits until Ready of an object has a status and a reason, as in True/Succeeded.
func (e *environment) becomes(object engine.Object, want string, limit time.Duration) time.Duration {
	e.t.Helper()
	return within(e.t, limit, object.GetName()+" is "+want, func() (bool, string) {
		if !e.get(object) {
			return false, "it does not exist"
		}
		got := readiness(object)
		return got == want, fmt.Sprintf("it is %s: %v", got, object.CommonStatus().Conditions)
	})
}

// gone waits until an object no longer exists.
func (e *environment) gone(object client.Object, limit time.Duration) time.Duration {
	e.t.Helper()
	return within(e.t, limit, object.GetName()+" is gone", func() (bool, string) {
		return !e.get(object), fmt.Sprintf("it is there, with finalizers %v", object.GetFinalizers())
	})
}

// ids returns the remote users in the statuses, by the names of their objects.
func (e *environment) ids() map[string]string {
	e.t.Helper()
	ids := map[string]string{}
	for _, user := range e.users() {
		ids[user.Name] = user.Status.UserID
	}
	return ids
}

// eachOnce asserts that Smile has exactly this number of users, each created by one call, and each belonging to exactly one
// object.
func (e *environment) eachOnce(n int) {
	e.t.Helper()
	people, err := e.remote.Users(e.key.Key)
	if err != nil {
		e.t.Fatal(err)
	}
	remote, owners := map[string]bool{}, map[string]int{}
	for _, person := range people {
		remote[person.ID] = true
		owners[person.ExternalMetadata[v1alpha1.MetadataOwner]]++
	}
	for owner, count := range owners {
		if count > 1 {
			e.t.Errorf("%d remote users carry the marker %q", count, owner)
		}
	}
	calls := len(e.remote.committed("create-user", 0))
	named := slices.Collect(maps.Values(e.ids()))
	distinct := map[string]bool{}
	for _, id := range named {
		distinct[id] = true
	}
	if len(people) != n || calls != n || len(named) != n || !maps.Equal(distinct, remote) {
		e.t.Errorf("%d users at Smile, made by %d calls, for %d objects with %d distinct ids, which are those at Smile: %v; want %d of each",
			len(people), calls, len(named), len(distinct), maps.Equal(distinct, remote), n)
	}
}

// link does what a person does in the widget, and returns the account.
func (e *environment) link(userID, provider string) sandbox.Account {
	e.t.Helper()
	account, err := e.remote.Link(sandbox.LinkRequest{
		UserID: userID, ProviderID: provider, Login: "George", Password: "123456", MFA: "1234",
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return account
}

// calls counts the calls after a place in the journal, by operation and status.
func (e *environment) calls(after int) string {
	counts := map[string]int{}
	for _, call := range e.remote.Journal(after) {
		counts[fmt.Sprintf("%s %d", call.Operation, call.Status)]++
	}
	return listed(counts)
}

// tally counts requests by verb and resource.
func tally(requests []audit.Request) string {
	counts := map[string]int{}
	for _, request := range requests {
		counts[request.Verb+" "+request.Resource]++
	}
	return listed(counts)
}

func listed(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s: %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}
