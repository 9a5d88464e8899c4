//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// A status that somebody wipes, as a restore without statuses does, is there again within seconds: under a process that
// runs, and after a start.
func TestAWipedStatusIsRepaired(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, sandbox.Options{AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
	address, person, sub := freeAddress(t), e.user("george"), e.subscription("events")
	person.Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: "george-token"}
	sync := e.sync(person.Name)
	conn := &v1alpha1.SmileConnection{ObjectMeta: e.named("smile")}
	e.create(person, sub)
	o := e.operator(t, e.only(), "--receiver-bind-address="+address, "--receiver-base-url=http://"+address)
	all := []engine.Object{conn, person, sub, sync}
	e.becomes(person, "True/Succeeded", time.Minute)
	e.link(person.Status.UserID, "sss_ph")
	e.create(sync)
	repaired := func() {
		t.Helper()
		for _, object := range all {
			e.becomes(object, "True/Succeeded", time.Minute)
		}
	}
	repaired()

	wipe := func() {
		t.Helper()
		for _, object := range all {
			if err := e.admin.Status().Update(t.Context(), e.blank(object)); err != nil {
				t.Fatal(err)
			}
		}
	}
	wipe()
	began := time.Now()
	repaired()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the statuses were repaired after %s", took)
	}
	o.stop()
	wipe()
	o.start()
	repaired()
	e.eachOnce(1)

	time.Sleep(5 * time.Second) // longer than anything that a repair has follow
	place := e.end()
	during(t, 5*time.Second, func() string {
		if writes := e.writes(place); len(writes) > 0 {
			return "written at rest: " + tally(writes)
		}
		return ""
	})
}

// blank is an object as it is stored, with the status of a new one.
func (e *environment) blank(object engine.Object) engine.Object {
	e.t.Helper()
	e.get(object)
	switch object := object.(type) {
	case *v1alpha1.SmileConnection:
		object.Status = v1alpha1.SmileConnectionStatus{}
	case *v1alpha1.SmileUser:
		object.Status = v1alpha1.SmileUserStatus{}
	case *v1alpha1.SmileAccountSync:
		object.Status = v1alpha1.SmileAccountSyncStatus{}
	case *v1alpha1.SmileWebhookSubscription:
		object.Status = v1alpha1.SmileWebhookSubscriptionStatus{}
	}
	object.CommonStatus().ObservedGeneration = -1
	return object
}
