package server

import (
	"bufio"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
	"github.com/smile-operator/smile-operator/internal/sandbox/traffic"
)

func TestStats(t *testing.T) {
	b := newBox(t, Options{})
	userID := b.newUser()
	b.george(userID, "cdecorp")
	b.get("/v1/users/" + userID)
	b.get("/v1/users/tenant-0")
	b.get("/v1/nothing")
	got := b.get("/_sandbox/stats").must(t, 200).text
	want := `{"requests":{"":{"404":1},"create-user":{"201":1},"get-user":{"200":1,"404":1}},` +
		`"users":1,"accounts":1,"webhooks":0,"deliveries":0,"peakRPS":4}`
	if diff := cmp.Diff(want, strings.TrimSpace(got)); diff != "" {
		t.Error(diff)
	}
}

func TestJournal(t *testing.T) {
	b := newBox(t, Options{})
	userID := b.newUser()
	b.get("/v1/users?size=150")
	b.get("/v1/users/", without("Authorization"), from("192.0.2.7:99"))
	account := b.george(userID, "sss_ph").ID
	b.call("DELETE", "/v1/accounts/"+account, "")
	at := b.Now()
	want := []traffic.Entry{
		{Seq: 1, Time: at, Method: "POST", Path: "/v1/users", Operation: "create-user", Status: 201, Source: "192.0.2.1", Key: "sandbox-key", UserID: userID, Committed: true},
		{Seq: 2, Time: at, Method: "GET", Path: "/v1/users", Query: "size=150", Operation: "list-users", Status: 200, Source: "192.0.2.1", Key: "sandbox-key"},
		{Seq: 3, Time: at, Method: "GET", Path: "/v1/users", Operation: "list-users", Status: 401, Source: "192.0.2.7"},
		{Seq: 4, Time: at, Method: "DELETE", Path: "/v1/accounts/" + account, Operation: "delete-account", Status: 200, Source: "192.0.2.1", Key: "sandbox-key", UserID: userID, Committed: true},
	}
	if diff := cmp.Diff(want, b.Journal(0)); diff != "" {
		t.Error(diff)
	}
	for path, seqs := range map[string][]int{"": {1, 2, 3, 4}, "?since=2": {3, 4}, "?since=4": nil, "?since=99": nil, "?since=-5": {1, 2, 3, 4}} {
		a := b.get("/_sandbox/journal"+path).must(t, 200)
		var got []int
		for lines := bufio.NewScanner(strings.NewReader(a.text)); lines.Scan(); {
			got = append(got, decode[traffic.Entry](t, lines.Bytes()).Seq)
		}
		if diff := cmp.Diff(seqs, got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	b.get("/_sandbox/journal?since=x").must(t, 400)
}

func TestClock(t *testing.T) {
	b := newBox(t, Options{})
	if got := b.get("/_sandbox/clock").must(t, 200).text; got != `{"now":"2026-03-31T22:30:00Z"}`+"\n" {
		t.Errorf("got %s", got)
	}
	if got := b.call("POST", "/_sandbox/clock", `{"advance":"5h"}`).must(t, 200).text; got != `{"now":"2026-04-01T03:30:00Z"}`+"\n" {
		t.Errorf("got %s", got)
	}
	for _, wrong := range []string{`{"advance":"-1h"}`, `{"advance":"soon"}`, `{"advance":5}`, `{"hours":5}`, ``} {
		b.call("POST", "/_sandbox/clock", wrong).must(t, 400)
	}
	made := decode[CreatedUser](t, b.call("POST", "/v1/users", "").Data)
	if got := made.Token.ExpiresAt.Format(time.RFC3339); got != "2026-04-01T08:30:00Z" {
		t.Errorf("expires %s", got)
	}
}

func TestSeed(t *testing.T) {
	b := newBox(t, Options{Keys: []KeyPair{{Key: "a", Secret: "s"}, {Key: "b", Secret: "s"}}})
	b.call("POST", "/v1/webhooks", anyHook, as("b", "s")).must(t, 200)
	b.call("POST", "/_sandbox/seed", `{"users":20,"accountsPerUser":8,"key":"b"}`).must(t, 200)
	b.call("POST", "/_sandbox/seed", `{"users":1}`).must(t, 200)
	if users, _ := b.Users("a"); len(users) != 1 || len(users[0].ExternalMetadata) != 0 || len(users[0].Providers) != 0 {
		t.Errorf("the first key is the default: %v", users)
	}
	if got := b.Stats().Deliveries; got != 0 {
		t.Errorf("%d deliveries about seeded users", got)
	}
	users, _ := b.Users("b")
	if len(users) != 20 || len(users[7].Providers) != 8 {
		t.Errorf("%d users, %v", len(users), users[7])
	}
	page := decode[rows](t, b.get("/v1/documents?size=150&userId="+users[3].ID, as("b", "s")).must(t, 200).Data)
	if len(page.Items) == 0 {
		t.Error("a seeded account has no data")
	}
	for body, status := range map[string]int{
		`{"users":1,"key":"c"}`: 404, `{"users":-1}`: 400, `{"users":1000001}`: 400,
		`{"users":1,"accountsPerUser":9}`: 400, `{"users":1,"accountsPerUser":-1}`: 400,
	} {
		b.call("POST", "/_sandbox/seed", body).must(t, status)
	}
	if _, err := b.Users("c"); err == nil {
		t.Error("a key that does not exist has users")
	}
}

func TestReset(t *testing.T) {
	b := newBox(t, Options{Canary: "CNRY", LinkDelay: time.Hour, RateLimit: 2})
	first := b.newUser()
	b.george(first, "sss_ph")
	_ = b.SetFaults([]Fault{{Operation: "*", Count: -1, Action: "status:500"}})
	_ = b.Advance(time.Minute)
	b.get("/v1/users").must(t, 500)
	b.call("POST", "/_sandbox/reset", "").must(t, 200)
	want := Stats{Requests: map[string]map[int]int{}}
	if diff := cmp.Diff(want, b.Stats()); diff != "" {
		t.Error(diff)
	}
	if len(b.Journal(0)) != 0 || len(b.Faults()) != 0 || len(b.Canaries()) != 0 || !b.Now().Equal(b.wall.now()) {
		t.Error("something remains")
	}
	if again := b.newUser(); again == first {
		t.Error("an id was given twice")
	}
	_ = b.Advance(2 * time.Hour)
	if got := b.Stats().Accounts; got != 0 {
		t.Errorf("%d accounts came back", got)
	}
	if entry := b.Journal(0)[0]; entry.Seq != 1 {
		t.Errorf("the journal goes on at %d", entry.Seq)
	}
}

func TestControlSaysWhatIsWrong(t *testing.T) {
	b := newBox(t, Options{})
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/_sandbox/nothing", "", 404},
		{"DELETE", "/_sandbox/stats", "", 405},
		{"POST", "/_sandbox/link", `{"userId":"tenant-0","providerId":"sss_ph"}`, 404},
		{"POST", "/_sandbox/link", `{"user":"tenant-0"}`, 400},
		{"POST", "/_sandbox/accounts/a-0/disconnect", "", 404},
		{"POST", "/_sandbox/accounts/a-0/resync", "", 404},
	} {
		got := b.call(test.method, test.path, test.body).must(t, test.status)
		if said := decode[map[string]string](t, []byte(got.text)); said["error"] == "" {
			t.Errorf("%s %s says %s", test.method, test.path, got.text)
		}
	}
	if len(b.Journal(0)) != 0 {
		t.Error("the journal contains calls of the control API")
	}
	if status, _ := problemOf(errors.New("other")); status != http.StatusBadRequest {
		t.Error(status)
	}
}

func TestDisconnectTwice(t *testing.T) {
	b := newBox(t, Options{})
	id := b.george(b.newUser(), "cdecorp").ID
	if got, err := b.Disconnect(id); err != nil || got.ConnectionStatus != Disconnected {
		t.Errorf("%+v %v", got, err)
	}
	for _, again := range []func() (Account, error){
		func() (Account, error) { return b.Disconnect(id) },
		func() (Account, error) { return b.Fail(id, "SYSTEM_ERROR") },
		func() (Account, error) { return b.Resync(id) },
	} {
		if _, err := again(); err == nil {
			t.Error("no error")
		}
	}
}

func TestOptions(t *testing.T) {
	for name, wrong := range map[string]Options{
		"unknown quirk":       {Quirks: map[string]string{"lag": "1s"}},
		"quirk without unit":  {Quirks: map[string]string{"list-lag": "30"}},
		"negative quirk":      {Quirks: map[string]string{"list-lag": "-1s"}},
		"quirk out of range":  {Quirks: map[string]string{"revoked-account": "410"}},
		"negative rate limit": {RateLimit: -1},
		"negative delay":      {LinkDelay: -1},
		"key twice":           {Keys: []KeyPair{{Key: "a", Secret: "b"}, {Key: "a", Secret: "c"}}},
		"empty secret":        {Keys: []KeyPair{{Key: "a"}}},
		"colon in key":        {Keys: []KeyPair{{Key: "a:b", Secret: "c"}}},
		"unknown mode":        {Keys: []KeyPair{{Key: "a", Secret: "b", Mode: "LIVE"}}},
	} {
		if _, err := New(wrong); err == nil || err.Error() == "" {
			t.Errorf("%s: no error", name)
		}
		if _, err := Start(wrong); err == nil {
			t.Errorf("%s: started", name)
		}
	}
}

func TestParseKeys(t *testing.T) {
	got, err := ParseKeys("a:1,b:2:PRODUCTION")
	want := []KeyPair{{"a", "1", ModeSandbox}, {"b", "2", ModeProduction}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
	for _, wrong := range []string{"", "a", "a:hush,", "a:hush:SANDBOX:x"} {
		if _, err := ParseKeys(wrong); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestParseQuirks(t *testing.T) {
	got, err := quirks.Parse("list-lag=30s,revoked-account=404")
	if diff := cmp.Diff(map[string]string{"list-lag": "30s", "revoked-account": "404"}, got); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
	if got, err := quirks.Parse(""); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
	for _, wrong := range []string{"list-lag", "list-lag=1s,list-lag=2s"} {
		if _, err := quirks.Parse(wrong); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

func TestQuirks(t *testing.T) {
	quirk := func(name, value string) *box {
		return newBox(t, Options{Quirks: map[string]string{name: value}})
	}
	t.Run("list-lag", func(t *testing.T) {
		b := quirk("list-lag", "30s")
		userID := b.newUser()
		b.get("/v1/users/"+userID).must(t, 200)
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{0, 0}, {29 * time.Second, 0}, {time.Second, 1}} {
			_ = b.Advance(step.wait)
			if got := len(b.list("/v1/users").Items); got != step.want {
				t.Errorf("%d users listed, want %d", got, step.want)
			}
		}
	})
	t.Run("revoked-account", func(t *testing.T) {
		b := quirk("revoked-account", "404")
		id := b.george(b.newUser(), "sss_ph").ID
		b.call("DELETE", "/v1/accounts/"+id, "").must(t, 200)
		b.get("/v1/accounts/"+id).must(t, 404)
		if got := b.list("/v1/accounts").Items; len(got) != 0 {
			t.Errorf("listed: %s", got)
		}
	})
	t.Run("bad-credentials", func(t *testing.T) {
		got := quirk("bad-credentials", "401").get("/v1/users", as("a", "b")).must(t, 401)
		if got.Code != "INVALID_CREDENTIALS" {
			t.Error(got.text)
		}
	})
	for value, want := range map[string]string{"object": `"externalMetadata":{}`, "null": `"externalMetadata":null`} {
		t.Run("no-metadata "+value, func(t *testing.T) {
			if got := quirk("no-metadata", value).call("POST", "/v1/users", "").text; !strings.Contains(got, want) {
				t.Error(got)
			}
		})
	}
	if len(quirks.All()) < 5 || quirks.All()[0].Doc == "" {
		t.Error("quirks are not described")
	}
}

func TestIDsDependOnTheSeedAlone(t *testing.T) {
	first, second := newBox(t, Options{}), newBox(t, Options{})
	if a, b := first.newUser(), second.newUser(); a != b {
		t.Errorf("same seed, %s and %s", a, b)
	}
	other, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	_ = other.Seed(SeedRequest{Users: 1})
	users, _ := other.Users("sandbox-key")
	known, _ := first.Users("sandbox-key")
	if users[0].ID == known[0].ID {
		t.Error("a sandbox without a seed repeats another one")
	}
}
