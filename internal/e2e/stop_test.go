//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TestGracefulStop stops the operator in an orderly way while calls that create users are on their way: it waits for them, stores
// their outcomes, and leaves no unknown outcome for the next process.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	const users = 30
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	if err := e.remote.SetFaults([]sandbox.Fault{{Operation: "create-user", Count: -1, Action: "delay:3s"}}); err != nil {
		t.Fatal(err)
	}
	o := e.operator(t, e.only())
	crowd := e.crowd("user", users)
	for _, user := range crowd[:users/2] {
		user := user.(*v1alpha1.SmileUser)
		user.Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: user.Name + "-token"}
	}
	e.create(crowd...)

	within(t, time.Minute, "calls that create users are on their way", func() (bool, string) {
		flying := e.remote.creating.Load()
		return flying >= 5, fmt.Sprintf("%d are", flying)
	})
	flying := e.remote.creating.Load()
	took := o.stop()
	made := e.remote.committed("create-user", 0)
	t.Logf("stopped in %s with %d calls on their way; %d users were created", seconds(took), flying, len(made))
	e.allStored(made)
	e.tokensWhole()
	for _, user := range e.users() {
		if user.Status.CreateAttempt != nil {
			t.Errorf("%s is left with an attempt whose outcome the next process cannot know", user.Name)
		}
	}

	if err := e.remote.SetFaults(nil); err != nil {
		t.Fatal(err)
	}
	o.start()
	ready := e.allReady(users, 4*time.Minute)
	e.eachOnce(users)
	e.tokensWhole()
	t.Logf("%d users Ready %s after the restart; %s", users, seconds(ready), e.calls(0))
}

// allStored asserts that every user that was created is in a status.
func (e *environment) allStored(made []sandbox.JournalEntry) {
	e.t.Helper()
	stored := slices.Collect(maps.Values(e.ids()))
	for _, call := range made {
		if !slices.Contains(stored, call.UserID) {
			e.t.Errorf("user %s was created and is in no status", call.UserID)
		}
	}
}

// tokensWhole asserts that no Secret of a link token was written incompletely.
func (e *environment) tokensWhole() {
	e.t.Helper()
	var secrets corev1.SecretList
	if err := e.admin.List(e.t.Context(), &secrets, client.InNamespace(e.namespace)); err != nil {
		e.t.Fatal(err)
	}
	want := []string{"accessToken", "expiresAt", "mode", "userId"}
	for _, secret := range secrets.Items {
		if keys := slices.Sorted(maps.Keys(secret.Data)); secret.Name != "smile-keys" && !slices.Equal(keys, want) {
			e.t.Errorf("Secret %s holds %v, want %v", secret.Name, keys, want)
		}
	}
}
