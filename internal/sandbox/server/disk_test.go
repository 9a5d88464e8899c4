package server

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// everything is what the Open API shows of the first tenant, by path.
func (b *box) everything() map[string]string {
	b.t.Helper()
	shown := map[string]string{}
	for _, o := range operations {
		if o.method == http.MethodGet && o.handle != nil && !strings.Contains(o.path, "{") && !strings.Contains(o.path, "/-/") {
			shown[o.path] = string(b.get("/v1"+o.path+"?size=150").must(b.t, 200).Data)
		}
	}
	for _, text := range b.list("/v1/accounts?size=150").Items {
		a := decode[Account](b.t, text)
		if a.ConnectionStatus != Disconnected {
			shown[a.ID] = string(b.get("/v1/accounts/"+a.ID+"/payload").must(b.t, 200).Data)
		}
	}
	return shown
}

// populated creates objects of every kind, some of them in progress.
func populated(b *box) {
	b.t.Helper()
	userID := b.newUser()
	b.george(userID, "sss_ph")
	revoked := b.george(userID, "upwork")
	_ = b.Advance(10 * time.Minute)
	_, _ = b.Resync(b.george(userID, "cdecorp").ID)
	b.call("DELETE", "/v1/accounts/"+revoked.ID, "").must(b.t, 200)
	b.call("POST", "/v1/users", `{"externalMetadata":{"a":"b"}}`).must(b.t, 201)
	b.call("POST", "/v1/consentTemplates", consentBody).must(b.t, 201)
	gone := idOf(b.t, b.call("POST", "/v1/consentTemplates", consentBody))
	b.call("DELETE", "/v1/consentTemplates/"+gone, "").must(b.t, 200)
	templateID := idOf(b.t, b.call("POST", "/v1/inviteTemplates", templateBody))
	b.call("POST", "/v1/invites", `{"fullName":"Ryan Ng","email":"r@example.com","templateId":"`+templateID+`"}`).must(b.t, 201)
	b.call("POST", "/v1/archives", archiveBody(userID, sampleFile)).must(b.t, 200)
	b.call("POST", "/v1/archives", archiveBody(userID, otherFile)).must(b.t, 200)
	_ = b.Seed(SeedRequest{Users: 20, AccountsPerUser: 2})
	_, _ = b.Link(LinkRequest{UserID: userID, ProviderID: "grab", Login: "Ryan", Password: "654321", MFA: "1234"}) // is pending
	b.newUser()
}

// reopened returns a sandbox with the data of another one that was killed: only
// what its calls have written.
func reopened(t *testing.T, b *box, options Options) *box {
	t.Helper()
	if err := b.disk.Abandon(); err != nil { // Close would write more
		t.Fatal(err)
	}
	b.Close()
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &box{Sandbox: s, t: t}
}

func TestStateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := Options{Data: t.TempDir(), Seed: "test", LinkDelay: time.Minute, DataDelay: time.Minute, WebhookWorkers: 1}
		b, _ := hooked(t, Options{Data: options.Data, LinkDelay: time.Minute, DataDelay: time.Minute}, edited("active", "false"))
		populated(b)
		before, now := b.everything(), b.Now()
		item := idOf(t, answer{Data: b.list("/v1/contributions").Items[0]})
		after := reopened(t, b, options)
		if !after.Now().Equal(now) {
			t.Errorf("the clock went from %s to %s", now, after.Now())
		}
		if diff := gocmp.Diff(before, after.everything()); diff != "" {
			t.Error(diff)
		}
		after.get("/v1/contributions/"+item).must(t, 200)
		if diff := gocmp.Diff(len(b.Mails()), len(after.Mails())); diff != "" {
			t.Error(diff)
		}
		if again, _ := after.Users("sandbox-key"); strings.Contains(string(wire.Encode(again)), after.newUser()) {
			t.Error("an id was given twice")
		}
		_ = after.Advance(3 * time.Minute) // what was in progress continues
		for _, text := range after.list("/v1/tasks?size=150").Items {
			if task := decode[taskWire](t, text); task.FinishedAt == nil {
				t.Errorf("never finished: %s", text)
			}
		}
		if got := decode[Account](t, after.list("/v1/accounts?size=150").Items[len(after.list("/v1/accounts?size=150").Items)-1]); got.ConnectionStatus != Connected {
			t.Errorf("never connected: %+v", got)
		}
		if got := after.list("/v1/archives").Items; !strings.Contains(string(got[0]), `"ANALYZED"`) {
			t.Errorf("never read: %s", got)
		}
	})
}

// TestDeliveriesAreKept: the next process sends the deliveries that were not
// acknowledged, and only those.
func TestDeliveriesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := Options{Data: t.TempDir()}
		b, m := hooked(t, options, edited("url", `"https://127.0.0.1:1/"`)) // refuses the connections of the next process
		b.newUser()
		synctest.Wait()
		m.answer = func(int) (int, error) { return 503, nil }
		refused := b.newUser()
		synctest.Wait()
		b.get("/v1/users").must(t, 200) // a response means that the state was written
		after := reopened(t, b, options)
		got := after.Deliveries(0)
		if len(got) != 2 || got[0].State != delivery.Delivered || len(got[1].Attempts) == 0 || got[1].Attempts[0].Status != 503 {
			t.Fatalf("%+v", got)
		}
		synctest.Wait()
		if got := after.Deliveries(1)[0]; len(got.Attempts) != 2 {
			t.Errorf("%s of %s was not sent again: %+v", got.EventID, refused, got)
		}
	})
}

func TestDataDirectory(t *testing.T) {
	dir := t.TempDir()
	b := newBox(t, Options{Data: dir})
	b.newUser()
	if _, err := New(Options{Data: dir}); err == nil {
		t.Error("two sandboxes share a directory")
	}
	b.Reset()
	b.Close()
	if _, err := New(Options{Data: dir, Seed: "other"}); err == nil {
		t.Error("the seed was changed")
	}
	again, err := New(Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if users, _ := again.Users("sandbox-key"); len(users) != 0 {
		t.Errorf("%d users after a reset", len(users))
	}
	if _, err := New(Options{Data: "/dev/null/x"}); err == nil {
		t.Error("a directory that cannot be is accepted")
	}
}

// TestFullDisk: a call whose changes cannot be stored fails.
func TestFullDisk(t *testing.T) {
	b := newBox(t, Options{Data: t.TempDir()})
	if err := b.disk.Abandon(); err != nil {
		t.Fatal(err)
	}
	if got := b.call("POST", "/v1/users", "").must(t, 500); got.Code != "SERVER_ERROR" {
		t.Errorf("got %s", got.text)
	}
}
