package server

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

func TestLoginsOfPeople(t *testing.T) {
	b := newBox(t, Options{})
	george, ryan := "George Cimafranca Palomero, Jr", "Ryan Joseph Peterson Chua Ng"
	for _, test := range []struct{ login, password, name string }{
		{"George", "123456", george},
		{" george ", "123456", george},
		{"GPalomero1234@smileapi.io", "123456", george},
		{"(+63) 9559991234", "123456", george},
		{"+639559991234", "123456", george},
		{"63 955 999 1234", "123456", george},
		{"+62 811-999-4321", "654321", ryan},
		{"+639559994321", "654321", ryan},
		{"christina4321@smileapi.io", "YGUS1", "Christina Tan"},
		{"Anisha", "123456", "Anisha Bhatia"},
	} {
		t.Run(test.login, func(t *testing.T) {
			userID := b.newUser()
			a, err := b.Link(LinkRequest{userID, "sss_ph", test.login, test.password, "1234"})
			if err != nil || a.ConnectionStatus != Connected {
				t.Fatalf("%+v, %v", a, err)
			}
			if text := string(b.list("/v1/identities?userId=" + userID).Items[0]); !strings.Contains(text, `"`+test.name+`"`) {
				t.Errorf("got %s", text)
			}
		})
	}
}

func TestLogins(t *testing.T) {
	for name, test := range map[string]struct {
		steps  []LinkRequest
		status ConnectionStatus
		code   string
	}{
		"at once":           {[]LinkRequest{{ProviderID: "sss_ph", Login: "George", Password: "123456", MFA: "1234"}}, Connected, ""},
		"no second factor":  {[]LinkRequest{{ProviderID: "cdecorp", Login: "George", Password: "123456"}}, Connected, ""},
		"awaits the code":   {[]LinkRequest{{ProviderID: "sss_ph", Login: "George", Password: "123456"}}, AwaitingMFA, ""},
		"code follows":      {[]LinkRequest{{ProviderID: "sss_ph", Login: "George", Password: "123456"}, {ProviderID: "sss_ph", MFA: "1234"}}, Connected, ""},
		"wrong code":        {[]LinkRequest{{ProviderID: "sss_ph", Login: "George", Password: "123456"}, {ProviderID: "sss_ph", MFA: "4321"}}, Failed, "INVALID_MFA"},
		"wrong, then right": {[]LinkRequest{{ProviderID: "sss_ph", Login: "George", Password: "1"}, {ProviderID: "sss_ph", Login: "George", Password: "123456", MFA: "1234"}}, Connected, ""},
		"wrong password":    {[]LinkRequest{{ProviderID: "sss_ph", Login: "George", Password: "654321", MFA: "1234"}}, Failed, "INVALID_CREDENTIALS"},
		"nobody":            {[]LinkRequest{{ProviderID: "sss_ph", Login: "Zoe", Password: "123456", MFA: "1234"}}, Failed, "INVALID_CREDENTIALS"},
		"nothing":           {[]LinkRequest{{ProviderID: "sss_ph"}}, Failed, "INVALID_CREDENTIALS"},
		"waits on":          {[]LinkRequest{{ProviderID: "sss_ph", Login: "George", Password: "123456"}, {ProviderID: "sss_ph"}}, AwaitingMFA, ""},
		"code and password": {[]LinkRequest{{ProviderID: "sss_ph", Login: "George", Password: "123456"}, {ProviderID: "sss_ph", Login: "George", Password: "1", MFA: "1234"}}, Failed, "INVALID_CREDENTIALS"},
		"twice":             {[]LinkRequest{{ProviderID: "cdecorp", Login: "George", Password: "123456"}, {ProviderID: "cdecorp", Login: "George", Password: "123456"}}, Connected, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, Options{})
			userID := b.newUser()
			var last Account
			for _, step := range test.steps {
				step.UserID = userID
				var err error
				if last, err = b.Link(step); err != nil {
					t.Fatal(err)
				}
			}
			var code string
			if last.Connection.ErrorCode != nil {
				code = *last.Connection.ErrorCode
			}
			if last.ConnectionStatus != test.status || last.Connection.Status != test.status || code != test.code {
				t.Errorf("got %+v", last)
			}
			if (code == "") != (last.Connection.ErrorMessage == nil) {
				t.Errorf("code %q and message %v", code, last.Connection.ErrorMessage)
			}
			if got := b.list("/v1/accounts").Items; len(got) != 1 {
				t.Errorf("%d accounts", len(got))
			}
			if got := b.list("/v1/tasks").Items; len(got) != b2i(test.status == Connected) {
				t.Errorf("%d tasks", len(got))
			}
		})
	}
}

func TestTwoPeopleAtOneProvider(t *testing.T) {
	b := newBox(t, Options{})
	userID := b.newUser()
	first := b.george(userID, "sss_ph")
	second, _ := b.Link(LinkRequest{userID, "sss_ph", "Anisha", "123456", "1234"})
	if first.ID == second.ID || second.ConnectionStatus != Connected {
		t.Errorf("%+v", second)
	}
	user := decode[User](t, b.get("/v1/users/"+userID).Data)
	if diff := cmp.Diff([]string{"sss_ph", "sss_ph"}, user.Providers); diff != "" {
		t.Error(diff)
	}
}

func TestLinkNeedsUserAndProvider(t *testing.T) {
	b := newBox(t, Options{})
	userID := b.newUser()
	for _, test := range []struct {
		req    LinkRequest
		status int
	}{
		{LinkRequest{UserID: "tenant-0", ProviderID: "sss_ph"}, http.StatusNotFound},
		{LinkRequest{UserID: userID, ProviderID: "none"}, http.StatusNotFound},
		{LinkRequest{UserID: userID, ProviderID: "abccorp"}, http.StatusBadRequest},
	} {
		_, err := b.Link(test.req)
		var control *ControlError
		if !errors.As(err, &control) || control.Status != test.status {
			t.Errorf("%+v: %v", test.req, err)
		}
	}
}

// TestDelays: an account and its task take their time on the sandbox clock.
func TestDelays(t *testing.T) {
	b := newBox(t, Options{LinkDelay: time.Minute, DataDelay: 5 * time.Minute})
	userID := b.newUser()
	begun := b.Now()
	account := b.george(userID, "sss_ph")
	see := func(status ConnectionStatus, taskStatus string, contributions int) {
		t.Helper()
		got := decode[Account](t, b.get("/v1/accounts/"+account.ID).must(t, 200).Data)
		if got.ConnectionStatus != status {
			t.Errorf("%s, want %s", got.ConnectionStatus, status)
		}
		tasks := b.list("/v1/tasks?sourceId=" + account.ID).Items
		if (taskStatus == "") != (len(tasks) == 0) {
			t.Fatalf("tasks %s", tasks)
		}
		if taskStatus != "" {
			task := decode[taskWire](t, tasks[0])
			if task.Status != taskStatus || (task.FinishedAt == nil) != (taskStatus == "Started") || (len(task.Datapoints) == 0) != (taskStatus == "Started") {
				t.Errorf("task %+v", task)
			}
		}
		if got := len(b.list("/v1/contributions").Items); got != contributions {
			t.Errorf("%d contributions, want %d", got, contributions)
		}
		payload := decode[struct{ Contributions []any }](t, b.get("/v1/accounts/"+account.ID+"/payload").must(t, 200).Data)
		if len(payload.Contributions) != contributions {
			t.Errorf("%d contributions in the payload, want %d", len(payload.Contributions), contributions)
		}
	}
	see(Pending, "", 0)
	_ = b.Advance(time.Minute - time.Nanosecond)
	see(Pending, "", 0)
	_ = b.Advance(time.Nanosecond)
	see(Connected, "Started", 0)
	b.wall.advance(5 * time.Minute)
	see(Connected, "Finished", 3)
	task := decode[taskWire](t, b.list("/v1/tasks").Items[0])
	if !task.StartedAt.Equal(begun.Add(time.Minute)) || !task.FinishedAt.Equal(begun.Add(6*time.Minute)) {
		t.Errorf("task ran from %s to %s", task.StartedAt, task.FinishedAt)
	}
}

func TestRevokedWhilePending(t *testing.T) {
	b := newBox(t, Options{LinkDelay: time.Minute, DataDelay: time.Minute})
	pending := b.george(b.newUser(), "sss_ph")
	b.call("DELETE", "/v1/accounts/"+pending.ID, "").must(t, 200)
	fetching := b.george(b.newUser(), "cdecorp")
	_ = b.Advance(time.Minute)
	b.call("DELETE", "/v1/accounts/"+fetching.ID, "").must(t, 200)
	_ = b.Advance(time.Hour)
	for _, id := range []string{pending.ID, fetching.ID} {
		if got := decode[Account](t, b.get("/v1/accounts/"+id).Data); got.ConnectionStatus != Disconnected {
			t.Errorf("%+v", got)
		}
	}
	if got := b.list("/v1/identities").Items; len(got) != 0 {
		t.Errorf("data of revoked accounts: %s", got)
	}
	tasks := b.list("/v1/tasks").Items
	if got := decode[taskWire](t, tasks[0]); len(tasks) != 1 || got.Status != "Finished" || len(got.Datapoints) != 0 {
		t.Errorf("tasks %s", tasks)
	}
}

// TestConsentEnds: after a revoke by the tenant or the person, the account
// stays readable and its data is deleted.
func TestConsentEnds(t *testing.T) {
	for name, end := range map[string]func(*box, string){
		"revoked":      func(b *box, id string) { b.call("DELETE", "/v1/accounts/"+id, "").must(b.t, 200) },
		"disconnected": func(b *box, id string) { b.call("POST", "/_sandbox/accounts/"+id+"/disconnect", "").must(b.t, 200) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, Options{})
			userID := b.newUser()
			account := b.george(userID, "sss_ph")
			kept := b.george(b.newUser(), "sss_ph")
			item := decode[struct{ ID string }](t, b.list("/v1/contributions?userId=" + userID).Items[0]).ID
			end(b, account.ID)
			got := decode[Account](t, b.get("/v1/accounts/"+account.ID).must(t, 200).Data)
			if got.ConnectionStatus != Disconnected || got.MonitorStatus != MonitorUnsupported {
				t.Errorf("%+v", got)
			}
			b.get("/v1/contributions/"+item).must(t, 404)
			b.get("/v1/accounts/"+account.ID+"/payload").must(t, 404)
			b.call("DELETE", "/v1/accounts/"+account.ID, "").must(t, 404)
			for _, d := range fixtures.Datapoints {
				if got := b.list("/v1/" + d.Path + "?userId=" + userID).Items; len(got) != 0 {
					t.Errorf("%s are left: %s", d.Path, got)
				}
			}
			if got := decode[User](t, b.get("/v1/users/"+userID).Data).Providers; len(got) != 0 {
				t.Errorf("providers %v", got)
			}
			if got := b.list("/v1/contributions?sourceId=" + kept.ID).Items; len(got) != 3 {
				t.Errorf("somebody else's data: %s", got)
			}
			if again := b.george(userID, "sss_ph"); again.ID == account.ID || again.ConnectionStatus != Connected {
				t.Errorf("linked again: %+v", again)
			}
		})
	}
}

func TestFail(t *testing.T) {
	b := newBox(t, Options{})
	account := b.george(b.newUser(), "sss_ph")
	failed := b.call("POST", "/_sandbox/accounts/"+account.ID+"/fail", `{"errorCode":"EXPIRED_CREDENTIALS"}`).must(t, 200)
	got := decode[Account](t, []byte(failed.text))
	if got.ConnectionStatus != Failed || *got.Connection.ErrorCode != "EXPIRED_CREDENTIALS" || got.MonitorStatus != MonitorActionRequired {
		t.Errorf("%+v", got)
	}
	b.call("POST", "/_sandbox/accounts/"+account.ID+"/fail", `{"errorCode":"BORED"}`).must(t, 400)
	b.call("POST", "/_sandbox/accounts/"+account.ID+"/resync", "").must(t, 400)
	b.call("POST", "/_sandbox/accounts/a-0/fail", `{"errorCode":"SYSTEM_ERROR"}`).must(t, 404)
	if again := decode[Account](t, []byte(failed.text)); again.ID != b.george(got.UserID, "sss_ph").ID {
		t.Error("logging in to a failed account again created another account")
	}
}

func TestResyncBringsTheNextMonth(t *testing.T) {
	b := newBox(t, Options{DataDelay: time.Minute})
	account := b.george(b.newUser(), "sss_ph")
	_ = b.Advance(time.Minute)
	dates := func() (got []string) {
		for _, item := range b.list("/v1/contributions").Items {
			got = append(got, decode[struct{ Date string }](t, item).Date)
		}
		return got
	}
	before, _ := b.allPages("/v1/contributions?size=150")
	for range 2 {
		b.call("POST", "/_sandbox/accounts/"+account.ID+"/resync", "").must(t, 200)
	}
	if got := len(dates()); got != 3 {
		t.Errorf("%d contributions before the task is finished", got)
	}
	_ = b.Advance(time.Minute)
	if diff := cmp.Diff([]string{"2022-06-30", "2022-05-31", "2022-04-30", "2022-07-31", "2022-08-31"}, dates()); diff != "" {
		t.Error(diff)
	}
	after, _ := b.allPages("/v1/contributions?size=150")
	if !slices.Equal(before, after[:len(before)]) {
		t.Error("existing items got new ids")
	}
	if got := len(b.list("/v1/eincomes?startMonth=2022-07").Items); got != 2 {
		t.Errorf("%d more eincomes", got)
	}
	last := decode[taskWire](t, b.list("/v1/tasks").Items[2])
	if last.Type != updateAccount || last.Status != "Finished" || !slices.Contains(last.Datapoints, "CONTRIBUTIONS") {
		t.Errorf("task %+v", last)
	}
}

// TestEverybodyHasEverything: each person has data for everything that a
// provider supports.
func TestEverybodyHasEverything(t *testing.T) {
	everybody, err := fixtures.People()
	if err != nil || len(everybody) != 4 {
		t.Fatalf("%d people, %v", len(everybody), err)
	}
	for _, p := range fixtures.Linkable() {
		for _, name := range p.Supported {
			i := slices.IndexFunc(fixtures.Datapoints, func(d fixtures.Datapoint) bool { return d.Name == name })
			if i < 0 {
				t.Fatalf("%s supports %s", p.ID, name)
			}
			for _, who := range everybody {
				if len(who.Items(fixtures.Datapoints[i].Path, p.ID)) == 0 {
					t.Errorf("%s has no %s at %s", who.Logins[0], name, p.ID)
				}
			}
		}
	}
}

func TestPayloadAgreesWithLists(t *testing.T) {
	b, ids := inhabited(t)
	for _, a := range b.tenants["sandbox-key"].accounts.order {
		payload := decode[map[string]any](t, b.get("/v1/accounts/"+a.id+"/payload").must(t, 200).Data)
		for _, d := range fixtures.Datapoints {
			var listed []any
			for _, text := range b.list("/v1/" + d.Path + "?size=150&sourceId=" + a.id).Items {
				item := decode[map[string]any](t, text)
				delete(item, "metadata")
				listed = append(listed, item)
			}
			want := any(append([]any{}, listed...))
			if d.Single {
				want = append(listed, nil)[0]
			}
			if diff := cmp.Diff(want, payload[d.Key]); diff != "" {
				t.Errorf("%s at %s: %s", d.Path, a.provider.ID, diff)
			}
		}
		if diff := cmp.Diff(map[string]any{"sourceId": a.id, "sourceType": "ACCOUNT", "userId": ids.Replace("{user}"), "providerId": a.provider.ID}, payload["metadata"]); diff != "" {
			t.Error(diff)
		}
	}
}
