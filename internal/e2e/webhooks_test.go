//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const eventsPerSecond = 50

// TestNoEventIsLost sends 50 genuine events a second while everything changes that can: the secret, what is subscribed to,
// the URL, the processes, the leader, the API server. None is called forged, and what is acknowledged is kept.
func TestNoEventIsLost(t *testing.T) {
	common, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{root: common.root, dir: t.TempDir(), binary: common.binary}
	if err := s.startPlane(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	e := s.environment(t, sandbox.Options{AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
	secret := &corev1.Secret{ObjectMeta: e.named("hook-secret"), StringData: map[string]string{"secret": strings.Repeat("a", 40)}}
	sub := e.hook("events")
	e.create(secret, sub)
	e.create(e.crowd("person", 20)...)

	replicas := make([]*operator, 2)
	addresses := []string{freeAddress(t), freeAddress(t)}
	flags := func(i int, base string) []string {
		return []string{
			e.only(), "--leader-elect", "--receiver-bind-address=" + addresses[i], "--receiver-base-url=" + receivers + base,
			"--webhook-overlap=5s", "--api-requests-per-second=0",
		}
	}
	for i := range replicas {
		replicas[i] = e.operator(t, flags(i, "")...)
	}
	e.allReady(20, 2*time.Minute)
	e.becomes(sub, "True/Succeeded", time.Minute)
	sender := e.sender(addresses...)
	only := func(what string, limit time.Duration) {
		before := sender.registered()[0].ID
		took := within(t, limit, what+" has replaced the webhook", func() (bool, string) {
			all := sender.registered()
			return len(all) == 1 && all[0].ID != before, fmt.Sprintf("%d webhooks", len(all))
		})
		t.Logf("%s replaced the webhook in %s", what, seconds(took))
	}

	var people []string
	for _, user := range e.users() {
		people = append(people, user.Status.UserID)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		sender.run(ctx, eventsPerSecond, []string{"TASK_FINISHED", "IDENTITY_ADDED", "ACCOUNT_DISCONNECTED", "SOMETHING_NEW", "INCOMES_ADDED"}, people)
	}()
	t.Cleanup(func() { stop(); <-done })

	e.patch(secret, `{"stringData":{"secret":"`+strings.Repeat("b", 50)+`"}}`)
	only("another secret", time.Minute)
	e.patch(sub, `{"spec":{"eventTypes":["TASK_FINISHED","ACCOUNT_DISCONNECTED"]}}`)
	only("another choice of events", time.Minute)
	e.patch(sub, `{"spec":{"secretRef":null}}`)
	only("a secret of our own", time.Minute)

	e.delete(&corev1.Secret{ObjectMeta: e.named("events-webhook")})
	leader := e.leading(replicas)
	leader.kill()
	leader.start()
	only("a deleted Secret, with the leader killed", 2*time.Minute)

	for i, o := range replicas {
		o.stop()
		o.flags = append(o.flags[:3], flags(i, "/behind/a/prefix")...)
		o.start()
		within(t, time.Minute, "a replica takes events again", func() (bool, string) { return o.scrape() != nil, o.tail() })
	}
	only("another URL", 2*time.Minute)

	e.restartAPIServer()
	leader = e.leading(replicas)
	leader.signal(syscall.SIGKILL)
	<-leader.done
	leader.start()
	during(t, 10*time.Second, func() string { return "" })

	stop()
	<-done
	sender.report()
	e.becomes(sub, "True/Succeeded", time.Minute)
	if all := sender.registered(); len(all) != 1 {
		t.Errorf("%d webhooks at rest", len(all))
	}
	if sender.statuses[204] < 1000 {
		t.Errorf("only %d events were acknowledged", sender.statuses[204])
	}
}

// restartAPIServer stops the API server and starts it again.
func (e *environment) restartAPIServer() {
	e.t.Helper()
	for _, component := range e.plane.Components() {
		if component.Name != "kube-apiserver" {
			continue
		}
		began := time.Now()
		if err := component.Stop(); err != nil {
			e.t.Fatal(err)
		}
		if err := component.Start(e.t.Context()); err != nil {
			e.t.Fatal(err)
		}
		e.t.Logf("the API server was away for %s", seconds(time.Since(began)))
	}
}

// leading waits until one of the replicas leads, and gives it.
func (e *environment) leading(replicas []*operator) *operator {
	e.t.Helper()
	var found *operator
	within(e.t, time.Minute, "somebody leads", func() (bool, string) {
		for _, o := range replicas {
			if o.running() && o.metric("leader_election_master_status") > 0 {
				found = o
				return true, ""
			}
		}
		return false, "nobody leads"
	})
	return found
}
