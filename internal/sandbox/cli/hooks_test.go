package cli

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// TestWebhookAuthority: a sandbox that is configured by flags delivers to a
// server that only the file can verify.
func TestWebhookAuthority(t *testing.T) {
	arrived := make(chan struct{}, 1)
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} }))
	defer receiver.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	options := flagged(t, "--webhook-ca-file", file, "--webhook-workers", "1", "--webhook-retry", "1m")
	if options.WebhookRetry != time.Minute || options.WebhookTimeout != 10*time.Second || options.AllowHTTPWebhooks {
		t.Errorf("got %+v", options)
	}
	box, err := server.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	post(t, box, "/v1/webhooks", `{"name":"n","url":"`+receiver.URL+`","eventTypes":["USER_CREATED"],"active":true,"secret":"s"}`)
	post(t, box, "/v1/users", `{}`)
	<-arrived
}

func TestWebhookAuthorityFiles(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, empty + "-not"} {
		var options server.Options
		if err := (&hookSettings{caFile: file}).apply(&options); err == nil {
			t.Errorf("%s: no error", file)
		}
	}
}

func flagged(t *testing.T, args ...string) server.Options {
	t.Helper()
	var set hookSettings
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	set.register(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	var options server.Options
	if err := set.apply(&options); err != nil {
		t.Fatal(err)
	}
	return options
}

func post(t *testing.T, box *server.Server, path, body string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, box.URL+path, strings.NewReader(body))
	r.SetBasicAuth("sandbox-key", "sandbox-secret")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	box.ServeHTTP(w, r)
	if w.Code/100 != 2 {
		t.Fatalf("%s: %s", path, w.Body)
	}
}
