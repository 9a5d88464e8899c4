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

// An output that somebody deleted or edited is repaired, without any other event, or its object is not Ready. Secrets are neither
// listed nor watched for that.
func TestDamagedOutputsAreRepaired(t *testing.T) {
	t.Parallel()
	// No poll is due meanwhile: its calls would be counted here.
	e := newEnvironment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{ResyncInterval: &metav1.Duration{Duration: day}})
	// Another user has the token: while a token is fresh, its user is polled, and these calls would be counted here.
	person, other := e.user("george"), e.user("maria")
	other.Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: "maria-token"}
	sync := e.sync(person.Name)
	e.create(person)
	o := e.operator(t, e.only(), "--output-check-interval=4s")
	e.becomes(person, "True/Succeeded", time.Minute)
	e.link(person.Status.UserID, "sss_ph")
	e.create(sync)
	e.annotate(sync, v1alpha1.AnnotationRequestedAt, "now")
	e.becomes(sync, "True/Succeeded", time.Minute)
	place := e.end()

	data := e.secret("george-data")
	for _, patch := range []string{
		"", `{"data":{"identities.json":"e30="}}`, `{"data":{"identities.json":null}}`, `{"metadata":{"ownerReferences":null}}`,
	} {
		mark := e.remote.mark()
		if patch == "" {
			e.delete(&corev1.Secret{ObjectMeta: e.named(data.Name)})
		} else {
			e.patch(&corev1.Secret{ObjectMeta: e.named(data.Name)}, patch)
		}
		within(t, 30*time.Second, "an output is repaired after "+patch, func() (bool, string) {
			now := &corev1.Secret{ObjectMeta: e.named(data.Name)}
			there := e.get(now)
			repaired := there && metav1.IsControlledBy(now, sync) && maps.EqualFunc(now.Data, data.Data, slices.Equal)
			return repaired, fmt.Sprintf("it is there: %v; %s", there, o.tail())
		})
		e.becomes(sync, "True/Succeeded", 15*time.Second)
		if calls := e.remote.Journal(mark); len(calls) > 1 {
			t.Errorf("after %q: %s", patch, e.calls(mark))
		}
	}
	e.create(other)
	e.becomes(other, "True/Succeeded", time.Minute)
	e.delete(&corev1.Secret{ObjectMeta: e.named("maria-token")})
	e.becomes(other, "False/Progressing", 30*time.Second) // the last token is younger than five minutes

	for _, request := range e.asked(place) {
		if request.Resource == "secrets" && request.Verb != "get" && !request.Writes() {
			t.Errorf("the operator asked for more than a Secret: %s", request)
		}
	}
}
