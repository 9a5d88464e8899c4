//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const (
	lostInterval = time.Minute
	// lostMargin is the time to read and write what a listing has shown.
	lostMargin = 15 * time.Second
)

// TestLostEventsAreMadeUpFor loses every event, and finds all changes within the resync interval: new data, a disconnection, and
// the first account of a user.
func TestLostEventsAreMadeUpFor(t *testing.T) {
	t.Parallel()
	t.Run("nothing listens at the registered address", func(t *testing.T) {
		t.Parallel()
		u := unseenBy(t, "127.0.0.1:0", freeAddress(t))
		began := time.Now()
		u.happen()
		u.madeUpFor(began)
	})
	t.Run("the operator is stopped", func(t *testing.T) {
		t.Parallel()
		address := freeAddress(t)
		u := unseenBy(t, address, address)
		u.o.stop()
		u.since = len(u.remote.Deliveries(0))
		u.happen()
		u.givenUp()
		<-time.After(lostInterval) // so that no read is due because of an earlier event
		began := time.Now()
		u.o.start()
		u.madeUpFor(began)
	})
}

// unseen is what happens while every event is lost.
type unseen struct {
	*environment
	o        *operator
	accounts map[string]sandbox.Account // of ten persons, by the names of their Secrets
	late     *v1alpha1.SmileUser        // has no account yet
	// since is the place in the deliveries after which they are lost.
	since int
	news  []news
}

// news is a change at Smile, and how the Secret shows it.
type news struct {
	what, secret string
	shows        func(data map[string][]byte) bool
}

// unseenBy starts an operator whose receiver listens at one address, and registers another address at Smile.
func unseenBy(t *testing.T, listens, registered string) *unseen {
	t.Helper()
	e := newEnvironment(t, sandbox.Options{AllowHTTPWebhooks: true, WebhookRetry: time.Second},
		v1alpha1.SmileConnectionSpec{ResyncInterval: &metav1.Duration{Duration: lostInterval}})
	sub := e.subscription("events")
	e.create(sub)
	o := e.operator(t, e.only(), "--receiver-bind-address="+listens, "--receiver-base-url=http://"+registered, "--api-requests-per-second=0")
	e.becomes(sub, "True/Succeeded", time.Minute)
	u := &unseen{environment: e, o: o, accounts: e.synced(10), late: e.user("late")}
	waiting := e.sync("late")
	e.create(u.late, waiting)
	e.becomes(u.late, "True/Succeeded", time.Minute)
	e.becomes(waiting, "True/"+v1alpha1.ReasonAwaitingEndUser, time.Minute)
	return u
}

// happen disconnects the account of one of ten users, adds data for the others, and links the first account of an eleventh.
func (u *unseen) happen() {
	u.t.Helper()
	items := func(data map[string][]byte) int {
		return len(data["identities.json"]) + len(data["contributions.json"])
	}
	leaver := slices.Min(slices.Collect(maps.Keys(u.accounts)))
	for name, account := range u.accounts {
		before := items(u.secret(name).Data)
		change, found := u.remote.Resync, news{"new data", name, func(data map[string][]byte) bool { return items(data) > before }}
		if name == leaver {
			change, found = u.remote.Disconnect, news{"a disconnection", name, func(data map[string][]byte) bool { return items(data) == 0 }}
		}
		if _, err := change(account.ID); err != nil {
			u.t.Fatal(err)
		}
		u.news = append(u.news, found)
	}
	u.link(u.late.Status.UserID, "sss_ph")
	u.news = append(u.news, news{"a first account", "late-data", func(data map[string][]byte) bool { return items(data) > 0 }})
}

// givenUp waits until Smile has given up the delivery of every event, and fails the test if one was delivered.
func (u *unseen) givenUp() {
	u.t.Helper()
	within(u.t, 30*time.Second, "Smile has given up all events", func() (bool, string) {
		states := map[string]int{}
		for _, delivery := range u.remote.Deliveries(u.since) {
			states[string(delivery.State)]++
		}
		if states[string(sandbox.DeliveryDelivered)] > 0 {
			u.t.Fatalf("not all events are lost: %s", listed(states))
		}
		return len(states) == 1 && states[string(sandbox.DeliveryFailed)] >= len(u.news), listed(states)
	})
}

// madeUpFor waits until all changes were found, and asserts that no event was received.
func (u *unseen) madeUpFor(began time.Time) {
	u.t.Helper()
	found := map[string]time.Duration{}
	within(u.t, lostInterval+lostMargin, "all that happened is found", func() (bool, string) {
		u.news = slices.DeleteFunc(u.news, func(n news) bool {
			secret := &corev1.Secret{ObjectMeta: u.named(n.secret)}
			shows := u.get(secret) && n.shows(secret.Data)
			if shows {
				found[n.what] = time.Since(began)
			}
			return shows
		})
		return len(u.news) == 0, fmt.Sprintf("%d things are not", len(u.news))
	})
	u.givenUp()
	if received := u.o.metric("smile_operator_webhook_requests_total"); received > 0 {
		u.t.Errorf("the receiver was sent %.0f requests", received)
	}
	for _, what := range slices.Sorted(maps.Keys(found)) {
		u.t.Logf("%s was found in %s, with a resync interval of %s and every event lost", what, seconds(found[what]), seconds(lostInterval))
	}
}
