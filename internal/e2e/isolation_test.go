//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// newcomerLimit is the longest delay of one tenant's new user because of another tenant.
const newcomerLimit = 10 * time.Second

// tenant declares a connection with a key pair of its own.
func (e *environment) tenant(name string, pair sandbox.KeyPair, spec v1alpha1.SmileConnectionSpec) {
	e.t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: e.named(name + "-keys"),
		StringData: map[string]string{"apiKey": pair.Key, "apiSecret": pair.Secret},
	}
	if spec.Endpoint != "" {
		host, _, _ := strings.Cut(strings.TrimPrefix(spec.Endpoint, "http://"), "/")
		secret.Annotations = map[string]string{v1alpha1.AnnotationAllowedHost: host}
	}
	spec.Mode, spec.CredentialsSecretRef.Name = v1alpha1.ModeSandbox, secret.Name
	e.create(secret, &v1alpha1.SmileConnection{ObjectMeta: e.named(name), Spec: spec})
}

// usersOf creates a number of users of a connection.
func (e *environment) usersOf(connection string, n int) []client.Object {
	users := make([]client.Object, n)
	for i := range users {
		user := e.user(fmt.Sprintf("%s-%03d", connection, i))
		user.Spec.ConnectionRef.Name = connection
		users[i] = user
	}
	return users
}

// TestOneTenantDelaysNoOther makes many users of one tenant wait, for a pace of their own or for a host that hangs, and then
// creates one user of another tenant.
func TestOneTenantDelaysNoOther(t *testing.T) {
	t.Parallel()
	pairs, err := sandbox.ParseKeys(sandbox.DefaultKeys + ",slow:slow,hanging:hanging")
	if err != nil {
		t.Fatal(err)
	}
	e := newEnvironment(t, sandbox.Options{Keys: pairs}, v1alpha1.SmileConnectionSpec{})
	hanging := newRemote(t, sandbox.Options{Keys: pairs})
	e.tenant("slow", pairs[1], v1alpha1.SmileConnectionSpec{RequestsPerSecond: 1})
	e.tenant("hanging", pairs[2], v1alpha1.SmileConnectionSpec{Endpoint: hanging.endpoint()})
	e.operator(t, e.only(), "--allowed-api-hosts="+strings.TrimSuffix(hanging.endpoint(), "/v1"))
	for _, name := range []string{"smile", "slow", "hanging"} {
		e.becomes(&v1alpha1.SmileConnection{ObjectMeta: e.named(name)}, "True/Succeeded", time.Minute)
	}
	if err := hanging.SetFaults([]sandbox.Fault{{Operation: "*", Count: -1, Action: "hang"}}); err != nil {
		t.Fatal(err)
	}
	for crowd, size := range map[string]int{"slow": 200, "hanging": 60} {
		e.create(e.usersOf(crowd, size)...)
		newcomer := e.user("beside-" + crowd)
		e.create(newcomer)
		took := e.becomes(newcomer, "True/Succeeded", newcomerLimit)
		t.Logf("with %d users of the connection %s, a user of another one was Ready after %s", size, crowd, took.Round(10*time.Millisecond))
	}
	for i := range 20 {
		e.tenant(fmt.Sprintf("hanging-%02d", i), pairs[2], v1alpha1.SmileConnectionSpec{Endpoint: hanging.endpoint()})
	}
	e.tenant("newcomer", pairs[0], v1alpha1.SmileConnectionSpec{})
	took := e.becomes(&v1alpha1.SmileConnection{ObjectMeta: e.named("newcomer")}, "True/Succeeded", newcomerLimit)
	t.Logf("with 20 connections at a host that hangs, another one was Ready after %s", took.Round(10*time.Millisecond))
}
