package sandboxtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smile-operator/smile-operator/internal/sandbox/cli"
	"github.com/smile-operator/smile-operator/sandboxtest"
)

// asProgram makes the test binary run as smile-sandbox.
const asProgram = "SANDBOXTEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// process is smile-sandbox as a process.
func process(t *testing.T, o sandboxtest.Options) sandboxtest.Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asProgram, "yes")
	return sandboxtest.Process{Path: self, Options: o}
}

// api calls the Open API, and returns the status and the data.
func api(t *testing.T, box *sandboxtest.Sandbox, method, path, body string) (int, json.RawMessage) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, box.BaseURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(box.Key, box.Secret)
	r.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var envelope struct{ Data json.RawMessage }
	text, err := io.ReadAll(response.Body)
	if err != nil || json.Unmarshal(text, &envelope) != nil {
		t.Fatalf("%v %s", err, text)
	}
	return response.StatusCode, envelope.Data
}

// TestEveryWay: a sandbox works in the same way however it was started.
func TestEveryWay(t *testing.T) {
	options := sandboxtest.Options{
		Keys: []string{"k:s", "other:o"}, Seed: "fixed", WebhookRetry: time.Second, Quirks: map[string]string{"future": "off"},
	}
	for name, start := range map[string]func(t *testing.T) *sandboxtest.Sandbox{
		"inside":  func(t *testing.T) *sandboxtest.Sandbox { return sandboxtest.Start(t, options) },
		"process": func(t *testing.T) *sandboxtest.Sandbox { return sandboxtest.StartProcess(t, process(t, options)) },
		"connect": func(t *testing.T) *sandboxtest.Sandbox {
			return sandboxtest.Connect(t, sandboxtest.Start(t, options).URL+"/", "k:s")
		},
	} {
		t.Run(name, func(t *testing.T) { everything(t, start(t)) })
	}
}

func everything(t *testing.T, box *sandboxtest.Sandbox) {
	hooks := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer hooks.Close()
	if status, text := api(t, box, http.MethodPost, "/webhooks", fmt.Sprintf(
		`{"name":"a","url":%q,"eventTypes":["ALL_EVENTS"],"active":true,"secret":"s"}`, hooks.URL)); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	user := box.CreateUser(map[string]string{"customer": "42"})
	if status, text := api(t, box, http.MethodGet, "/users/"+user.ID, ""); status != 200 || !strings.Contains(string(text), `"customer":"42"`) {
		t.Errorf("%d %s", status, text)
	}
	if user.AccessToken == "" {
		t.Error("there is no link token")
	}
	account := box.Link(user.ID, "sss_ph", "George")
	if account.ConnectionStatus != "CONNECTED" || account.UserID != user.ID {
		t.Errorf("%+v", account)
	}
	if got := box.WaitForDelivery("ACCOUNT_CONNECTED"); got.UserID != user.ID || got.Attempts[0].Status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	if got := box.LinkAs(sandboxtest.Login{UserID: box.CreateUser(nil).ID, ProviderID: "sss_ph", Login: "Ryan", Password: "wrong"}); got.Connection.ErrorCode != "INVALID_CREDENTIALS" {
		t.Errorf("%+v", got)
	}
	box.Resync(account.ID)
	if all := box.Accounts(user.ID); len(all) != 1 || all[0].ID != account.ID {
		t.Errorf("%+v", all)
	}
	if got := box.Fail(account.ID, "ACCOUNT_LOCKED"); got.ConnectionStatus != "ERROR" || got.Connection.ErrorCode != "ACCOUNT_LOCKED" {
		t.Errorf("%+v", got)
	}
	if got := box.Disconnect(account.ID); got.ConnectionStatus != "DISCONNECTED" {
		t.Errorf("%+v", got)
	}
	box.SetDeliveryFaults(sandboxtest.DeliveryFault{EventType: "USER_CREATED", Action: "lose"})
	box.SetFaults(sandboxtest.Fault{Operation: "create-user", Action: "status:503"})
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusCreated} {
		if got, _ := api(t, box, http.MethodPost, "/users", `{}`); got != want {
			t.Errorf("status %d, want %d", got, want)
		}
	}
	if got := box.WaitForCall("create-user"); got.UserID == "" || !got.Committed || got.Path != "/v1/users" {
		t.Errorf("%+v", got)
	}
	if all := box.Deliveries(); all[len(all)-1].State != "LOST" {
		t.Errorf("%+v", all)
	}
	before := box.Calls()
	box.Advance(24 * time.Hour)
	_, _ = api(t, box, http.MethodGet, "/users", "")
	all := box.Calls()
	if passed := all[len(before)].Time.Sub(before[len(before)-1].Time); passed < 24*time.Hour {
		t.Errorf("the clock went %s forward", passed)
	}
	box.Reset()
	if status, _ := api(t, box, http.MethodGet, "/users/"+user.ID, ""); status != http.StatusNotFound {
		t.Errorf("after the reset, %d", status)
	}
}

// noted is a test that records how it fails.
type noted struct {
	testing.TB
	ctx  context.Context
	text string
}

func (n *noted) Context() context.Context { return n.ctx }

func (n *noted) Fatalf(format string, values ...any) {
	n.text = fmt.Sprintf(format, values...)
	panic(n)
}

// failing returns how a test with this content fails.
func failing(t *testing.T, content func(tb sandboxtest.TB)) (text string) {
	t.Helper()
	n := &noted{TB: t, ctx: t.Context()}
	defer func() {
		if got := recover(); got != nil && got != n {
			panic(got)
		}
		text = n.text
	}()
	content(n)
	return ""
}

// TestFailures: what goes wrong ends the test, and says why.
func TestFailures(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for want, content := range map[string]func(sandboxtest.TB){
		"Options.Keys: key pair number 1": func(tb sandboxtest.TB) { sandboxtest.Start(tb, sandboxtest.Options{Keys: []string{"k"}}) },
		"must not be negative":            func(tb sandboxtest.TB) { sandboxtest.Start(tb, sandboxtest.Options{RateLimit: -1}) },
		"no-such-program":                 func(tb sandboxtest.TB) { sandboxtest.StartProcess(tb, sandboxtest.Process{Path: "no-such-program"}) },
		"exit status 1\nsmile-sandbox: quirk \"a\" does not exist": func(tb sandboxtest.TB) {
			sandboxtest.StartProcess(tb, process(t, sandboxtest.Options{Quirks: map[string]string{"a": "b"}}))
		},
		"does not serve": func(tb sandboxtest.TB) {
			tb.(*noted).ctx = over
			sandboxtest.Connect(tb, "http://127.0.0.1:1", "")
		},
		"POST /_sandbox/link: 404": func(tb sandboxtest.TB) {
			sandboxtest.Start(tb, sandboxtest.Options{}).Link("nobody", "sss_ph", "George")
		},
		"no delivered event USER_CREATED": func(tb sandboxtest.TB) {
			box := sandboxtest.Start(tb, sandboxtest.Options{})
			box.Patience = 50 * time.Millisecond
			box.WaitForDelivery("USER_CREATED")
		},
	} {
		if got := failing(t, content); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
