package server

import (
	"net/http"
	"strings"
	"testing"
)

func TestOverview(t *testing.T) {
	b := newBox(t, Options{Keys: []KeyPair{{Key: "sandbox-key", Secret: "sandbox-secret"}, {"live-key", "live-secret", ModeProduction}}})
	b.call(http.MethodPost, "/v1/users", `{"externalMetadata":{"customer":"alice"}}`).must(t, http.StatusCreated)
	linked := b.newUser()
	account := b.george(linked, "sss_ph")
	b.call(http.MethodPost, "/v1/webhooks", `{"name":"n","url":"https://hooks.example/x","eventTypes":["ALL_EVENTS"],"active":true,"secret":"hush"}`).must(t, http.StatusOK)
	live := b.newUser(as("live-key", "live-secret"))

	got := b.get("/_sandbox/overview").must(t, http.StatusOK)
	if strings.Contains(got.text, "hush") || strings.Contains(got.text, "sandbox-secret") || strings.Contains(got.text, "live-secret") {
		t.Errorf("the overview contains a secret: %s", got.text)
	}
	all := decode[Overview](t, []byte(got.text))
	if len(all.Tenants) != 2 || len(all.Tenants[0].Users) != 2 || all.Tenants[1].Mode != ModeProduction || all.Tenants[1].Users[0].User.ID != live {
		t.Fatalf("tenants are %+v", all.Tenants)
	}
	newest := all.Tenants[0].Users[0]
	if newest.User.ID != linked || len(newest.Accounts) != 1 || newest.Accounts[0].ID != account.ID {
		t.Errorf("the newest user is %+v", newest)
	}
	if hooks := all.Tenants[0].Webhooks; len(hooks) != 1 || hooks[0].URL != "https://hooks.example/x" || !hooks[0].Active {
		t.Errorf("webhooks are %+v", hooks)
	}
	for find, want := range map[string]int{"alice": 1, "customer": 1, linked: 1, "nobody": 0, "tenant-": 2} {
		found := decode[Overview](t, []byte(b.get("/_sandbox/overview?find="+find).must(t, http.StatusOK).text))
		if got := len(found.Tenants[0].Users); got != want {
			t.Errorf("a search for %q finds %d users, want %d", find, got, want)
		}
	}
	limited := decode[Overview](t, []byte(b.get("/_sandbox/overview?users=1").must(t, http.StatusOK).text))
	if got := len(limited.Tenants[0].Users); got != 1 {
		t.Errorf("%d users, want 1", got)
	}
	for _, wrong := range []string{"-1", "501", "x"} {
		b.get("/_sandbox/overview?users="+wrong).must(t, http.StatusBadRequest)
	}
}

func TestThePageMakesUsersAndTokens(t *testing.T) {
	b := newBox(t, Options{})
	made := decode[CreatedUser](t, []byte(b.call(http.MethodPost, "/_sandbox/users", "{}").must(t, http.StatusOK).text))
	b.get("/v1/link/session", bearer(made.Token.AccessToken)).must(t, http.StatusOK)
	again := decode[linkToken](t, []byte(b.call(http.MethodPost, "/_sandbox/users/"+made.User.ID+"/token", "").must(t, http.StatusOK).text))
	b.get("/v1/link/session", bearer(again.AccessToken)).must(t, http.StatusOK)
	b.call(http.MethodPost, "/_sandbox/users", `{"key":"nobody"}`).must(t, http.StatusNotFound)
	b.call(http.MethodPost, "/_sandbox/users/nobody/token", "").must(t, http.StatusNotFound)
	if got := b.Stats().Requests["create-user"]; got != nil {
		t.Errorf("requests of the page are counted as calls: %v", got)
	}
}

func TestThePageIsOneFile(t *testing.T) {
	b := newBox(t, Options{})
	got := b.fetch("/")
	if got.Code != http.StatusOK || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("status %d, type %s", got.Code, got.Header().Get("Content-Type"))
	}
	page := got.Body.String()
	for _, elsewhere := range []string{"src=\"http", "href=\"http", "innerHTML", "<link"} {
		if strings.Contains(page, elsewhere) {
			t.Errorf("the page contains %s", elsewhere)
		}
	}
	if !strings.Contains(got.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the policy is %q", got.Header().Get("Content-Security-Policy"))
	}
}
