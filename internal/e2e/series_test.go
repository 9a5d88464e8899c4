//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TestSeriesAreBounded declares 10,000 objects, of 100 tenants, and counts the series that the metrics have then: no label is
// the name of an object.
func TestSeriesAreBounded(t *testing.T) {
	if !long() {
		t.Skip("E2E_LONG is not set: 10,000 objects take minutes")
	}
	const (
		tenants      = 100
		usersOfEach  = 97 // with the connection, a sync and a subscription: 100 objects
		objects      = tenants * (usersOfEach + 3)
		mostOfSeries = 2000
	)
	keys := make([]sandbox.KeyPair, tenants)
	for i := range keys {
		keys[i] = sandbox.KeyPair{Key: fmt.Sprintf("key-%d", i), Secret: fmt.Sprintf("secret-%d", i), Mode: sandbox.ModeSandbox}
	}
	e := apart(t).environment(t, sandbox.Options{Keys: keys, AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
	e.asReleased()
	receiver := freeAddress(t)
	o := e.operator(t, "--api-requests-per-second=0", "--receiver-bind-address="+receiver, "--receiver-base-url=http://"+receiver)
	for i, key := range keys {
		e.populate(fmt.Sprintf("tenant-%d", i), key, usersOfEach)
	}
	within(t, 10*time.Minute, "all users are Ready", func() (bool, string) {
		if created := len(e.remote.committed("create-user", 0)); created < tenants*usersOfEach {
			return false, fmt.Sprintf("%d users were created", created)
		}
		state := e.unready(tenants * usersOfEach)
		return state == "", state
	})
	within(t, 5*time.Minute, "all subscriptions and syncs were reconciled", func() (bool, string) {
		subscriptions := len(e.remote.committed("create-webhook", 0))
		syncs := o.metric("controller_runtime_reconcile_total", "smileaccountsync")
		return subscriptions >= tenants && syncs >= tenants, fmt.Sprintf("%d webhooks, %v reconciles of syncs", subscriptions, syncs)
	})
	series := 0
	for line := range bytes.Lines(o.scrape()) {
		if len(bytes.TrimSpace(line)) > 0 && line[0] != '#' {
			series++
		}
	}
	t.Logf("%d objects of %d tenants: %d series; resident memory %.0f MiB",
		objects, tenants, series, o.metric("process_resident_memory_bytes")/mebibyte)
	if series > mostOfSeries || series == 0 {
		t.Errorf("%d series, want %d at most", series, mostOfSeries)
	}
}

// populate declares a connection with a key pair of its own, and a number of users, a sync and a subscription of it.
func (e *environment) populate(name string, key sandbox.KeyPair, users int) {
	e.t.Helper()
	e.create(
		&corev1.Secret{ObjectMeta: e.named(name), StringData: map[string]string{"apiKey": key.Key, "apiSecret": key.Secret}},
		&v1alpha1.SmileConnection{ObjectMeta: e.named(name), Spec: v1alpha1.SmileConnectionSpec{
			Mode: v1alpha1.ModeSandbox, CredentialsSecretRef: v1alpha1.CredentialsSecretReference{Name: name},
		}},
	)
	for _, object := range e.crowd(name, users) {
		user := object.(*v1alpha1.SmileUser)
		user.Spec.ConnectionRef.Name = name
		e.create(user)
	}
	subscription := e.subscription(name)
	subscription.Spec.ConnectionRef.Name = name
	e.create(e.sync(name+"-000"), subscription)
}
