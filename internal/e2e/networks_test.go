//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/util/cert"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TestInterceptingProxy calls the vendor's own host through a proxy that intercepts TLS. Its certificate authority is trusted by one
// connection, then by all, because the operator's file of authorities is replaced while it runs.
func TestInterceptingProxy(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	proxy := startProxy(t, e.remote.address)
	file := filepath.Join(t.TempDir(), "authorities.pem")
	unrelated, _, err := cert.GenerateSelfSignedCertKey("unrelated", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, file, unrelated)
	own := &v1alpha1.SmileConnection{ObjectMeta: e.named("own"), Spec: v1alpha1.SmileConnectionSpec{Mode: v1alpha1.ModeSandbox}}
	own.Spec.CredentialsSecretRef.Name = "own-keys"
	e.create(&corev1.Secret{ObjectMeta: e.named("own-keys"), StringData: map[string]string{
		"apiKey": e.key.Key, "apiSecret": e.key.Secret, "ca.crt": string(proxy.authority()),
	}}, own)
	e.operatorEnvironment = append(e.operatorEnvironment, "HTTPS_PROXY="+proxy.url)
	e.operator(t, e.only(), "--sandbox-endpoint=", "--api-ca-file="+file)

	e.becomes(own, "True/Succeeded", time.Minute)
	smile := &v1alpha1.SmileConnection{ObjectMeta: e.named("smile")}
	e.becomes(smile, "False/"+v1alpha1.ReasonSmileUnavailable, time.Minute)
	ready := meta.FindStatusCondition(smile.Status.Conditions, v1alpha1.ConditionReady)
	if !strings.Contains(ready.Message, "certificate") {
		t.Errorf("the message does not say that the certificate is not trusted: %s", ready.Message)
	}

	replaceFile(t, file, append(unrelated, proxy.authority()...))
	e.becomes(smile, "True/Succeeded", 2*time.Minute)
	george := e.user("george")
	e.create(george)
	e.becomes(george, "True/Succeeded", time.Minute)
	if smile.Status.Endpoint != "https://sandbox.smileapi.io/v1" || len(e.remote.committed("create-user", 0)) != 1 {
		t.Errorf("the endpoint is %s, and the sandbox got %s", smile.Status.Endpoint, e.calls(0))
	}
	for _, host := range proxy.tunnels() {
		if host != "sandbox.smileapi.io:443" {
			t.Errorf("the proxy was asked for %s", host)
		}
	}
}

// replaceFile writes a file all at once, as the kubelet does.
func replaceFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestSplitBudgets runs two operators behind one source address. Each has half of what the vendor allows. Together they never exceed
// it, while both have more to do.
func TestSplitBudgets(t *testing.T) {
	t.Parallel()
	const people = 80
	one := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	two := one.environmentAt(t, one.remote, one.key, v1alpha1.SmileConnectionSpec{})
	for _, e := range []*environment{one, two} {
		e.create(e.crowd("person", people)...)
	}
	for _, e := range []*environment{one, two} {
		e.operator(t, "--leader-elect", e.only(), "--api-requests-per-second=10")
	}
	one.allReady(people, 2*time.Minute)
	two.allReady(people, 2*time.Minute)

	var calls []time.Time
	for _, entry := range one.remote.Journal(0) {
		calls = append(calls, entry.Time)
		if entry.Status == http.StatusTooManyRequests {
			t.Errorf("a call was refused: %s %s", entry.Operation, entry.Path)
		}
	}
	most := busiestSecond(calls)
	if most > vendorLimit || most <= vendorLimit/2 {
		t.Errorf("the busiest second had %d calls, want more than one operator may make, and no more than %d", most, vendorLimit)
	}
	t.Logf("%d calls, at most %d in any second", len(calls), most)
}

// busiestSecond is the largest number of calls within any second. The times are in order.
func busiestSecond(calls []time.Time) int {
	most, first := 0, 0
	for i, at := range calls {
		for at.Sub(calls[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
