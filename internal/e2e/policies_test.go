//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const webhookHosts = "smile-operator.io/webhook-hosts"

// declared are objects of a namespace, by what they declare.
func declared(namespace string) map[string]client.Object {
	of := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	smile := v1alpha1.ConnectionReference{Name: "smile"}
	connection := func(mode v1alpha1.Mode, endpoint string) client.Object {
		spec := v1alpha1.SmileConnectionSpec{Mode: mode, Endpoint: endpoint}
		spec.CredentialsSecretRef.Name = "keys"
		return &v1alpha1.SmileConnection{ObjectMeta: of("smile"), Spec: spec}
	}
	user := func(policy v1alpha1.UserDeletionPolicy) client.Object {
		return &v1alpha1.SmileUser{ObjectMeta: of("george"), Spec: v1alpha1.SmileUserSpec{ConnectionRef: smile, DeletionPolicy: policy}}
	}
	sync := func(revoke bool) client.Object {
		return &v1alpha1.SmileAccountSync{ObjectMeta: of("george"), Spec: v1alpha1.SmileAccountSyncSpec{
			UserRef: v1alpha1.UserReference{Name: "george"}, Datapoints: []v1alpha1.Datapoint{{Type: "INCOMES"}}, RevokeAfterFetch: revoke,
			Output: &v1alpha1.SyncOutput{Secret: &v1alpha1.OutputReference{Name: "data"}},
		}}
	}
	hook := func(url string) client.Object {
		return &v1alpha1.SmileWebhookSubscription{ObjectMeta: of("events"), Spec: v1alpha1.SmileWebhookSubscriptionSpec{
			ConnectionRef: smile, EventTypes: []v1alpha1.EventType{v1alpha1.EventAll}, URL: url,
		}}
	}
	return map[string]client.Object{
		"sandbox":                 connection(v1alpha1.ModeSandbox, ""),
		"another endpoint":        connection(v1alpha1.ModeSandbox, "https://sandbox.smileapi.io/v1"),
		"production":              connection(v1alpha1.ModeProduction, ""),
		"endpoint of production":  connection(v1alpha1.ModeSandbox, "https://OPEN.smileapi.io:443/v1"),
		"retain by default":       user(""),
		"retain":                  user(v1alpha1.UserRetain),
		"revoke accounts":         user(v1alpha1.UserRevokeAccounts),
		"keep accounts":           sync(false),
		"revoke after fetch":      sync(true),
		"own receiver":            hook(""),
		"named host":              hook("https://hooks.example.com/smile"),
		"foreign host":            hook("https://hooks.example.net/smile"),
		"another port":            hook("https://hooks.example.com:8443/smile"),
		"host that ends the same": hook("https://evil-hooks.example.com/smile"),
	}
}

// TestPolicies installs config/policies. In a namespace with the label of a policy, the API server refuses exactly what that policy
// forbids, and objects that were declared before keep working.
func TestPolicies(t *testing.T) {
	t.Parallel()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	installPolicies(t, s)
	for label, forbidden := range map[string][]string{
		"forbid-production":           {"production", "endpoint of production"},
		"forbid-revoke-accounts":      {"revoke accounts"},
		"forbid-revoke-after-fetch":   {"revoke after fetch"},
		"forbid-foreign-webhook-urls": {"foreign host", "another port", "host that ends the same"},
		"no-policy":                   nil,
	} {
		t.Run(label, func(t *testing.T) {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				GenerateName: "policies-", Annotations: map[string]string{webhookHosts: "hooks.example.org, Hooks.example.com"},
			}}
			e := &environment{suite: s, t: t}
			e.create(namespace)
			e.namespace = namespace.Name
			t.Cleanup(e.clear)
			var before client.Object
			if forbidden != nil {
				before = declared(namespace.Name)[forbidden[0]]
				before.SetName("before")
				before.SetFinalizers([]string{"example.com/held"})
				e.create(before)
			}
			e.patch(namespace, `{"metadata":{"labels":{"smile-operator.io/`+label+`":"true"}}}`)
			e.refuses(label, forbidden)
			if before != nil {
				e.annotate(before, "example.com/changed", "yes")
				e.delete(before)
				e.patch(before, `{"metadata":{"finalizers":null}}`)
				e.gone(before, time.Minute)
			}
		})
	}
}

// allowedInstead are harmless declarations that can be changed to forbidden ones. The mode of a connection is immutable.
var allowedInstead = map[string]string{
	"endpoint of production": "another endpoint", "revoke accounts": "retain", "revoke after fetch": "keep accounts",
	"foreign host": "own receiver", "another port": "named host",
}

// refusedBy reports whether a policy refused a request, by the name of the policy.
func refusedBy(err error, label string) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "ValidatingAdmissionPolicy") &&
		strings.Contains(err.Error(), label+".smile-operator.io")
}

func installPolicies(t *testing.T, s *suite) {
	t.Helper()
	dir := t.TempDir()
	component, err := filepath.Rel(dir, filepath.Join(s.root, "config", "policies"))
	if err != nil {
		t.Fatal(err)
	}
	writeKustomization(t, dir, "components: ["+component+"]\n")
	if out, err := s.run(t.Context(), "apply", "--server-side", "-k", dir); err != nil {
		t.Fatal(out)
	}
	t.Cleanup(func() { _, _ = s.run(context.WithoutCancel(t.Context()), "delete", "-k", dir) })
}

// refuses checks what is refused in the namespace, when it is created and when an object is changed to it.
func (e *environment) refuses(label string, forbidden []string) {
	e.t.Helper()
	objects := declared(e.namespace)
	for _, name := range forbidden {
		within(e.t, time.Minute, name+" is refused", func() (bool, string) {
			err := e.admin.Create(e.t.Context(), objects[name].DeepCopyObject().(client.Object), client.DryRunAll)
			return refusedBy(err, label), fmt.Sprintf("the API server says: %v", err)
		})
		delete(objects, name)
	}
	for name, object := range objects {
		if err := e.admin.Create(e.t.Context(), object, client.DryRunAll); err != nil {
			e.t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range forbidden {
		harmless, changeable := allowedInstead[name]
		if !changeable {
			continue
		}
		changed, allowed := declared(e.namespace)[name], declared(e.namespace)[harmless]
		e.create(allowed)
		changed.SetResourceVersion(allowed.GetResourceVersion())
		if err := e.admin.Update(e.t.Context(), changed, client.DryRunAll); !refusedBy(err, label) {
			e.t.Errorf("a change to %s: %v", name, err)
		}
		e.delete(allowed)
	}
}
