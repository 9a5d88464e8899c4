package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/audit"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

func TestRequestsThatCount(t *testing.T) {
	lease := audit.Request{User: accountUser, Verb: "update", Resource: "leases"}
	foreign := audit.Request{User: "system:admin", Verb: "patch", Resource: "smileusers/status"}
	watch := audit.Request{User: accountUser, Verb: "watch", Resource: "smileusers"}
	read := audit.Request{User: accountUser, Verb: "get", Resource: "secrets"}
	list := audit.Request{User: accountUser, Verb: "list", Resource: "smileusers"}
	store := audit.Request{User: accountUser, Verb: "patch", Resource: "smileusers/status"}
	output := audit.Request{User: accountUser, Verb: "update", Resource: "secrets"}
	event := audit.Request{User: accountUser, Verb: "create", Resource: "events"}
	all := []audit.Request{lease, foreign, watch, read, list, store, output, event}

	for name, tt := range map[string]struct{ got, want []audit.Request }{
		"the operator's":     {own(all), []audit.Request{watch, read, list, store, output, event}},
		"writes":             {writes(own(all)), []audit.Request{store, output, event}},
		"somebody's turn":    {busy(own(all)), []audit.Request{list, store, output, event}},
		"writes of statuses": {statusWrites(own(all)), []audit.Request{store}},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got, want := tallyRequests(append(all, store)), "1 create events, 1 get secrets, 1 list smileusers, "+
		"3 patch smileusers/status, 1 update leases, 1 update secrets, 1 watch smileusers"; got != want {
		t.Errorf("tally: %s", got)
	}
	if got := tallyRequests(nil); got != "none" {
		t.Errorf("the count without requests: %s", got)
	}
}

func TestQuietAfter(t *testing.T) {
	times := at(0, 4000, 1500)
	requests := []audit.Request{{At: times[1]}, {At: times[2]}}
	if got := quietAfter(times[0], requests); got != 4*time.Second {
		t.Errorf("the requests ended after %s", got)
	}
	if got := quietAfter(times[0], nil); got != 0 {
		t.Errorf("without a request, the requests ended after %s", got)
	}
	if diff := cmp.Diff(times[1:], arrivals(requests)); diff != "" {
		t.Error(diff)
	}
}

func TestCalls(t *testing.T) {
	times := at(0, 100, 200)
	calls := []sandbox.JournalEntry{
		{Operation: "create-user", Status: 200, Time: times[0]},
		{Operation: "create-user", Status: 429, Time: times[1]},
		{Operation: "list-users", Status: 200, Time: times[2]},
	}
	if got := creations(calls); len(got) != 2 {
		t.Errorf("creations: %v", got)
	}
	if got := refused(calls); len(got) != 1 || got[0].Time != times[1] {
		t.Errorf("refused: %v", got)
	}
	if got, want := tallyCalls(calls), "1 create-user 200, 1 create-user 429, 1 list-users 200"; got != want {
		t.Errorf("tally: %s", got)
	}
	if diff := cmp.Diff(times, callTimes(calls)); diff != "" {
		t.Error(diff)
	}
}
