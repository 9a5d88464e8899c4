//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const (
	blocked = "False/" + v1alpha1.ReasonDeletionBlocked
	// blockedWithin is the longest time until a blocked deletion reports that.
	blockedWithin = 10 * time.Second
)

// TestDeletion deletes users whose accounts must be revoked, while Smile responds and while it does not, without keys, and
// together with their namespace.
func TestDeletion(t *testing.T) {
	t.Parallel()
	t.Run("accounts are revoked", func(t *testing.T) { t.Parallel(); revokeOnDeletion(t) })
	t.Run("Smile is away", func(t *testing.T) {
		t.Parallel()
		blockDeletion(t, func(e *environment) { e.remote.down() }, func(e *environment) { e.remote.up(e.t) })
	})
	for _, action := range []string{"status:503", "hang", "reset", "garbage"} {
		t.Run("Smile answers with "+action, func(t *testing.T) {
			t.Parallel()
			blockDeletion(t,
				func(e *environment) { e.fail(sandbox.Fault{Operation: "*", Count: -1, Action: action}) },
				func(e *environment) { e.fail() })
		})
	}
	t.Run("the keys are gone", func(t *testing.T) { t.Parallel(); deleteWithoutKeys(t) })
	t.Run("the namespace goes", func(t *testing.T) { t.Parallel(); deleteNamespace(t) })
}

func (e *environment) fail(faults ...sandbox.Fault) {
	e.t.Helper()
	if err := e.remote.SetFaults(faults); err != nil {
		e.t.Fatal(err)
	}
}

// linked creates a user whose accounts must be revoked, and links two.
func (e *environment) linked(name string) *v1alpha1.SmileUser {
	e.t.Helper()
	user := e.user(name)
	user.Spec.DeletionPolicy = v1alpha1.UserRevokeAccounts
	e.create(user)
	e.becomes(user, "True/Succeeded", time.Minute)
	e.link(user.Status.UserID, "sss_ph")
	e.link(user.Status.UserID, "upwork")
	return user
}

// revoked asserts how many accounts were revoked, and that none of these users has a linked account.
func (e *environment) revoked(accounts int, people ...*v1alpha1.SmileUser) {
	e.t.Helper()
	if got := len(e.remote.committed("delete-account", 0)); got != accounts {
		e.t.Errorf("%d accounts were revoked, want %d", got, accounts)
	}
	listed, err := e.remote.Users(e.key.Key)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, person := range people {
		for _, remote := range listed {
			if remote.ID == person.Status.UserID && len(remote.Providers) > 0 {
				e.t.Errorf("%s is still linked with %v", person.Name, remote.Providers)
			}
		}
	}
}

func revokeOnDeletion(t *testing.T) {
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	e.operator(t, e.only())
	first, second := e.linked("first"), e.linked("second")
	second.Spec.DeletionPolicy = v1alpha1.UserRetain
	if err := e.admin.Update(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	mark := e.remote.mark()
	e.delete(first, second)
	took := e.gone(first, time.Minute)
	e.gone(second, time.Minute)
	e.revoked(2, first)
	t.Logf("revoked and gone after %s; calls: %s", seconds(took), e.calls(mark))
}

func blockDeletion(t *testing.T, fail, heal func(*environment)) {
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	o := e.operator(t, e.only())
	user := e.linked("george")
	fail(e)
	e.delete(user)
	said := e.becomes(user, blocked, blockedWithin)
	during(t, 5*time.Second, func() string {
		if !e.get(user) {
			return "the object is gone though nothing was revoked"
		}
		return ""
	})
	heal(e)
	took := e.gone(user, 2*time.Minute)
	e.revoked(2, user)
	t.Logf("blocked after %s, gone %s after Smile was back", seconds(said), seconds(took))
	o.stop()
}

func deleteWithoutKeys(t *testing.T) {
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	o := e.operator(t, e.only())
	user := e.linked("george")
	o.stop()
	e.delete(&corev1.Secret{ObjectMeta: e.named("smile-keys")})
	o.start()
	e.delete(user)
	said := e.becomes(user, blocked, blockedWithin)
	e.annotate(user, v1alpha1.AnnotationForceOrphan, "not the uid")
	during(t, 5*time.Second, func() string {
		if !e.get(user) {
			return "an annotation with another uid released the object"
		}
		return ""
	})
	e.annotate(user, v1alpha1.AnnotationForceOrphan, string(user.UID))
	took := e.gone(user, blockedWithin)
	e.revoked(0)
	within(t, blockedWithin, "an event tells that the person was orphaned", func() (bool, string) {
		events := e.events()
		return strings.Contains(events, v1alpha1.ReasonOrphaned), events
	})
	if orphans := o.metric("smile_operator_orphaned_total", "SmileUser"); orphans != 1 {
		t.Errorf("the metrics count %v orphans", orphans)
	}
	t.Logf("blocked after %s, released %s after the annotation", seconds(said), seconds(took))
}

func deleteNamespace(t *testing.T) {
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	e.operator(t, e.only())
	crowd := e.crowd("user", 10)
	for _, user := range crowd {
		user.(*v1alpha1.SmileUser).Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: user.GetName() + "-token"}
		e.create(user, e.sync(user.GetName()))
	}
	e.allReady(len(crowd), time.Minute)
	for _, id := range e.ids() {
		e.link(id, "sss_ph")
	}
	within(t, time.Minute, "the data of all is there", func() (bool, string) {
		var secrets corev1.SecretList
		if err := e.admin.List(t.Context(), &secrets, client.InNamespace(e.namespace)); err != nil {
			t.Fatal(err)
		}
		return len(secrets.Items) == 1+2*len(crowd), fmt.Sprintf("%d Secrets", len(secrets.Items))
	})
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.namespace}}
	e.delete(namespace)
	took := e.gone(namespace, 2*time.Minute)
	e.revoked(0)
	t.Logf("a namespace with %d persons, their tokens and data was gone after %s", len(crowd), seconds(took))
}

// sync creates a SmileAccountSync that keeps the data of a user in a Secret.
func (e *environment) sync(user string) *v1alpha1.SmileAccountSync {
	return &v1alpha1.SmileAccountSync{
		ObjectMeta: e.named(user),
		Spec: v1alpha1.SmileAccountSyncSpec{
			UserRef: v1alpha1.UserReference{Name: user},
			Datapoints: []v1alpha1.Datapoint{
				{Type: "IDENTITIES"}, {Type: "EMPLOYMENTS"}, {Type: "CONTRIBUTIONS"}, {Type: "LIABILITIES"}, {Type: "EINCOMES"},
			},
			Output: &v1alpha1.SyncOutput{Secret: &v1alpha1.OutputReference{Name: user + "-data"}},
		},
	}
}

// events returns all events of the namespace.
func (e *environment) events() string {
	e.t.Helper()
	var list eventsv1.EventList
	if err := e.admin.List(e.t.Context(), &list, client.InNamespace(e.namespace)); err != nil {
		e.t.Fatal(err)
	}
	var lines []string
	for _, event := range list.Items {
		lines = append(lines, fmt.Sprintf("%s %s %s/%s: %s", event.Type, event.Reason, event.Regarding.Kind, event.Regarding.Name, event.Note))
	}
	return strings.Join(lines, "\n")
}
