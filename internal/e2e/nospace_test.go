//go:build e2e

package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TestEtcdWithoutSpace has etcd refuse every write, as it does when its quota is used up, while users are to be created and
// a token is to be replaced. Nobody is created without a stored intent, one token is issued and kept in memory until it can
// be stored, and what fails is tried again with backoff.
func TestEtcdWithoutSpace(t *testing.T) {
	t.Parallel()
	const (
		users = 10
		span  = 40 * time.Second
		// tries of one object in that span, with a backoff that begins at a second and doubles, each of at most two writes
		// and an event.
		tries = 8
		// recovery is how long a user may wait afterwards: as long as it has been failing, on a busy machine.
		recovery = span + 30*time.Second
	)
	e := apart(t).environment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{})
	holder := e.user("holder")
	holder.Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: "holder-token"}
	e.create(holder)
	o := e.operator(t, e.only(), "--output-check-interval=2s")
	e.becomes(holder, "True/Succeeded", time.Minute)
	o.stop()
	e.create(e.crowd("user", users)...)

	e.noSpace("ACTIVATE")
	e.delete(&corev1.Secret{ObjectMeta: e.named("holder-token")}) // to delete takes no space
	place, mark := e.end(), e.remote.mark()
	o.start()
	during(t, span, o.alive)
	if created := len(e.remote.committed("create-user", mark)); created > 0 {
		t.Errorf("%d users were created though no intent could be stored", created)
	}
	if issued := len(e.remote.committed("create-token", mark)); issued > 1 {
		t.Errorf("%d tokens were issued for one user while none could be stored", issued)
	}
	writes := e.writes(place)
	if most := 3 * tries * (users + 2); len(writes) > most || len(writes) < users {
		t.Errorf("%d writes were tried in %s, want %d at least and %d at most: %s", len(writes), span, users, most, tally(writes))
	}
	if !strings.Contains(o.text(), "database space exceeded") {
		t.Error("the log does not name the cause")
	}
	t.Logf("etcd had no space for %s: %s; calls: %s", span, tally(writes), e.calls(mark))

	e.noSpace("DEACTIVATE")
	took := within(t, recovery, "all but the holder are Ready", func() (bool, string) {
		isHolder := func(user v1alpha1.SmileUser) bool { return user.Name == holder.Name }
		state := notReady(slices.DeleteFunc(e.users(), isHolder), users)
		return state == "", state
	})
	t.Logf("all but the holder Ready %s after there was space again", seconds(took))
	took = e.allReady(users+1, 8*time.Minute) // a user gets a token every five minutes at most
	e.eachOnce(users + 1)
	e.tokensWhole()
	if issued := len(e.remote.committed("create-token", mark)); issued > 2 {
		t.Errorf("%d tokens were issued for one user", issued)
	}
	t.Logf("all Ready %s after there was space again; calls: %s", seconds(took), e.calls(mark))
}

// noSpace raises or clears the alarm by which etcd refuses writes.
func (e *environment) noSpace(action string) {
	e.t.Helper()
	answer, err := http.Post(e.plane.Etcd.URL()+"/v3/maintenance/alarm", "application/json",
		strings.NewReader(`{"action":"`+action+`","alarm":"NOSPACE"}`))
	if err != nil {
		e.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		e.t.Fatalf("%s the alarm: %s", action, answer.Status)
	}
}
