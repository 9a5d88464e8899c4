package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

func TestControl(t *testing.T) {
	box, err := sandbox.New(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	if err := box.Seed(sandbox.SeedRequest{Users: 1}); err != nil {
		t.Fatal(err)
	}
	users, err := box.Users("sandbox-key")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	defer server.Close()
	d := newDemo(nil, nil)
	d.sandbox = server.URL

	var account sandbox.Account
	if err := d.control(t.Context(), http.MethodPost, "link", &account, george(users[0].ID)); err != nil {
		t.Fatal(err)
	}
	if account.ConnectionStatus != sandbox.Connected {
		t.Errorf("the sandbox does not know George: %+v", account)
	}
	var stats sandbox.Stats
	if err := d.control(t.Context(), http.MethodGet, "stats", &stats, nil); err != nil || stats.Accounts != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
	err = d.control(t.Context(), http.MethodPost, "link", &account, george("nobody"))
	if err == nil || !strings.Contains(err.Error(), "404") || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("linking an account of an unknown user: %v", err)
	}
}

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "c"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"b", "d"}, missing(dir, "a", "b", "c", "d")); diff != "" {
		t.Error(diff)
	}
	if got := missing(dir, "a", "c"); len(got) != 0 {
		t.Errorf("missing: %v", got)
	}
}
