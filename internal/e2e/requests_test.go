//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TestANewUserCostsTwoWrites declares users together with their connection, before the operator starts: each costs the API
// server the intent and the result. Their events are grouped, and that the connection has to be checked first is no write.
func TestANewUserCostsTwoWrites(t *testing.T) {
	const users, others = 100, 16 // first events one by one, one or two that report the rest, and the connection's
	e := newEnvironment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{})
	e.create(e.crowd("user", users)...)
	before := e.end()
	e.operator(t, e.only(), "--api-requests-per-second=0")
	e.allReady(users, time.Minute)
	within(t, time.Minute, "the events are reported", func() (bool, string) {
		requests := tally(e.writes(before))
		return e.counted(before, "create events") > 10, requests
	})
	requests := tally(e.asked(before))
	t.Log(requests)
	if n := len(e.writes(before)); n > 2*users+others {
		t.Errorf("%d writes for %d users: %s", n, users, requests)
	}
	if n := e.counted(before, "patch smileusers/status"); n != 2*users {
		t.Errorf("%d writes of the statuses of %d users", n, users)
	}
}

// counted counts the requests of the operator's account of a kind, such as create events.
func (e *environment) counted(after int64, kind string) (n int) {
	for _, request := range e.asked(after) {
		if request.Verb+" "+request.Resource == kind {
			n++
		}
	}
	return n
}
