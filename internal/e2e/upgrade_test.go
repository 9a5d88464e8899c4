//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// versions are the operators of the present version and of an earlier one, in one cluster of their own.
type versions struct {
	*environment
	older, present *suite
}

// starts starts an operator of a version.
func (v *versions) starts(t *testing.T, version *suite) *operator {
	t.Helper()
	v.suite = version
	o := v.newOperator(t, "--leader-elect")
	// The older version knows no other lease than the default one, and no flag for it.
	o.flags = slices.DeleteFunc(o.flags, func(flag string) bool { return strings.HasPrefix(flag, "--lease-name=") })
	o.start()
	return o
}

// provisioned are the remote users in the statuses, by the names of their objects.
func (v *versions) provisioned() map[string]string {
	v.t.Helper()
	ids := v.ids()
	maps.DeleteFunc(ids, func(_, id string) bool { return id == "" })
	return ids
}

// TestUpgradeWhileCreating updates the operator, goes back and updates it again, each time as a Deployment does, while a thousand
// users are being created. Nobody is created twice, nobody is lost, and every object keeps its user.
func TestUpgradeWhileCreating(t *testing.T) {
	t.Parallel()
	n := 1000
	if testing.Short() {
		n = 200
	}
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	_, binary := s.older(t)
	own := s.fresh(t)
	older := *own
	older.binary = binary
	v := &versions{
		environment: own.environment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{}),
		older:       &older, present: own,
	}
	running := v.starts(t, v.older)
	v.create(v.crowd("user", n)...)
	for i, next := range []*suite{v.present, v.older, v.present} {
		enough := (i + 1) * n / 4
		within(t, 8*time.Minute, fmt.Sprintf("%d users exist", enough), func() (bool, string) {
			got := len(v.provisioned())
			return got >= enough, fmt.Sprintf("%d of %d do", got, n)
		})
		before := v.provisioned()
		if len(before) == n {
			t.Fatalf("all users exist before the change of version %d", i+1)
		}
		former := running
		running = v.starts(t, next)
		took := former.stop()
		for name, id := range v.provisioned() {
			if was := before[name]; was != "" && was != id {
				t.Errorf("%s has another user than before", name)
			}
		}
		t.Logf("version %d of 4 starts with %d of %d users, after the former one stopped within %s", i+2, len(before), n, seconds(took))
	}
	v.allReady(n, 8*time.Minute)
	v.eachOnce(n)
	ids, mark := v.ids(), v.remote.mark()
	for _, next := range []*suite{v.older, v.present} {
		running.stop()
		running = v.starts(t, next)
		within(t, time.Minute, "it leads", func() (bool, string) {
			return running.metric("leader_election_master_status") > 0, running.tail()
		})
		v.settled()
	}
	v.allReady(n, time.Minute)
	v.sameIDs(ids)
	if changed := v.mutations(mark); len(changed) > 0 {
		t.Errorf("calls that changed something at Smile: %v", changed)
	}
}
