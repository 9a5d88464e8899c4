//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// shard runs an operator that sees only the objects with its label.
func (e *environment) shard(t *testing.T, name string) *operator {
	t.Helper()
	own := *e
	own.namespace = e.namespace + "-" + name // the name of its Leases
	e.create(own.leases()...)
	return e.operator(t, e.only(), "--lease-name="+own.namespace, "--leader-elect",
		"--watch-label-selector=shard="+name, "--api-requests-per-second=8")
}

// TestShards runs two operators in one namespace and on one API account, which select their objects by labels. They share nothing
// but the quota.
func TestShards(t *testing.T) {
	t.Parallel()
	const each = 30
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	for _, shard := range []string{"a", "b"} {
		connection := &v1alpha1.SmileConnection{ObjectMeta: e.named("smile")}
		e.get(connection)
		own := &v1alpha1.SmileConnection{ObjectMeta: e.named("smile-" + shard), Spec: connection.Spec}
		own.Labels = map[string]string{"shard": shard}
		e.create(own)
		for i := range each {
			e.one(shard, fmt.Sprintf("%s-%03d", shard, i))
		}
	}
	first := e.shard(t, "a")
	e.shard(t, "b")
	e.allReady(2*each, 3*time.Minute)
	e.eachOnce(2 * each)
	if calls := e.calls(0); strings.Contains(calls, " 429") {
		t.Errorf("together they exceed the quota: %s", calls)
	}

	unlabeled := e.user("unlabeled") // and so is its connection
	unlabeled.Labels = map[string]string{"shard": "a"}
	e.create(unlabeled)
	e.becomes(unlabeled, "False/"+v1alpha1.ReasonConnectionNotFound, time.Minute)
	ready := meta.FindStatusCondition(unlabeled.Status.Conditions, v1alpha1.ConditionReady)
	if !strings.Contains(ready.Message, "--watch-label-selector=shard=a") {
		t.Errorf("the message does not say why: %s", ready.Message)
	}
	orphaned := e.sync("b-000")
	orphaned.Labels = unlabeled.Labels
	e.create(orphaned)
	e.becomes(orphaned, "False/"+v1alpha1.ReasonUserNotFound, time.Minute)
	if ready := meta.FindStatusCondition(orphaned.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(ready.Message, "shard=a") {
		t.Errorf("the message does not say why: %s", ready.Message)
	}
	e.delete(unlabeled, orphaned)

	first.stop()
	e.one("a", "late-a")
	late := e.one("b", "late-b")
	e.becomes(late, "True/Succeeded", time.Minute)
	during(t, 3*time.Second, func() string {
		if other := e.user("late-a"); !e.get(other) || len(other.Status.Conditions) > 0 {
			return fmt.Sprintf("the other shard has processed %+v", other.Status)
		}
		return ""
	})
	first.start()
	e.becomes(e.user("late-a"), "True/Succeeded", 4*time.Minute)
	e.eachOnce(2*each + 2)
}

// one creates a user of a shard.
func (e *environment) one(shard, name string) *v1alpha1.SmileUser {
	e.t.Helper()
	user := e.user(name)
	user.Labels, user.Spec.ConnectionRef.Name = map[string]string{"shard": shard}, "smile-"+shard
	e.create(user)
	return user
}
