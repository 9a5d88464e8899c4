//go:build e2e

package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TestSamples applies the samples as a GitOps tool does, has George link an account, and finds nothing to differ
// afterwards: neither in what is declared nor after applying it again.
func TestSamples(t *testing.T) {
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	e.delete(&v1alpha1.SmileConnection{ObjectMeta: e.named("smile")}, &corev1.Secret{ObjectMeta: e.named("smile-keys")})
	samples := filepath.Join(e.root, "config", "samples")
	e.operator(t, "--leader-elect")
	began := time.Now()
	e.must("apply", "--server-side", "-k", samples)

	george := e.user("george")
	e.becomes(george, "True/Succeeded", time.Minute)
	e.link(george.Status.UserID, "sss_ph")
	data := &v1alpha1.SmileAccountSync{ObjectMeta: e.named("george")}
	e.becomes(data, "True/Succeeded", time.Minute)
	t.Logf("the samples were Ready, George's data included, after %s", seconds(time.Since(began)))
	if keys := len(e.secret("george-data").Data); keys != 4 {
		t.Errorf("the output has %d keys, want one for each of 3 datapoints and an index", keys)
	}

	settled := e.versions()
	if out, err := e.run(t.Context(), "diff", "--server-side", "--namespace", e.namespace, "-k", samples); err != nil {
		t.Errorf("kubectl diff of what was applied: %v\n%s", err, out)
	}
	e.must("apply", "--server-side", "-k", samples)
	during(t, 5*time.Second, func() string { return cmp.Diff(settled, e.versions()) })
}

// versions returns the resourceVersion of each object of the samples.
func (e *environment) versions() map[string]string {
	e.t.Helper()
	versions := map[string]string{}
	for _, object := range []client.Object{
		e.secret("smile-keys"), &v1alpha1.SmileConnection{ObjectMeta: e.named("smile")},
		e.user("george"), &v1alpha1.SmileAccountSync{ObjectMeta: e.named("george")},
	} {
		if !e.get(object) {
			e.t.Errorf("%T %s is gone", object, object.GetName())
		}
		versions[object.GetName()] += " " + object.GetResourceVersion()
	}
	return versions
}

// secret reads a Secret, which must exist.
func (e *environment) secret(name string) *corev1.Secret {
	e.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: name}}
	if !e.get(secret) {
		e.t.Fatalf("there is no Secret %s", name)
	}
	return secret
}
