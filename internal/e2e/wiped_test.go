//go:build e2e

package e2e

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// A status that somebody wipes, as a restore without statuses does, is restored within seconds, by a running process and after a
// start.
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

	wipe := func(objects ...engine.Object) {
		t.Helper()
		for _, object := range objects {
			blank := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"replace","path":"/status","value":{"observedGeneration":-1}}]`))
			if err := e.admin.Status().Patch(t.Context(), object, blank); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, object := range all {
		wipe(object)
		e.becomes(object, "True/Succeeded", 15*time.Second)
	}
	repaired()
	o.stop()
	wipe(all...)
	o.start()
	repaired()
	e.eachOnce(1)

	place, since := e.end(), time.Now()
	within(t, time.Minute, "nothing is written for 5 s", func() (bool, string) {
		writes := e.writes(place)
		if len(writes) > 0 {
			place, since = e.end(), time.Now()
		}
		return time.Since(since) > 5*time.Second, "written: " + tally(writes)
	})
}
