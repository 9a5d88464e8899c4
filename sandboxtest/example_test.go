package sandboxtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/sandboxtest"
)

// example stands for the *testing.T of your test.
type example struct{ cleanups []func() }

func (e *example) Helper()                             {}
func (e *example) Fatalf(format string, values ...any) { panic(fmt.Sprintf(format, values...)) }
func (e *example) Cleanup(f func())                    { e.cleanups = append(e.cleanups, f) }
func (e *example) Context() context.Context            { return context.Background() }

func (e *example) end() {
	for i := range e.cleanups {
		e.cleanups[len(e.cleanups)-1-i]()
	}
}

// A person links an account; the application is told by a webhook.
func Example() {
	t := &example{} // in your test: t *testing.T
	defer t.end()

	box := sandboxtest.Start(t, sandboxtest.Options{})
	events := make(chan string, 100)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var event struct{ Type string }
		_ = json.NewDecoder(r.Body).Decode(&event)
		events <- event.Type
	}))
	defer app.Close()
	register(box, app.URL) // your application does this when it starts

	user := box.CreateUser(map[string]string{"customer": "42"})
	account := box.Link(user.ID, "sss_ph", "George")
	fmt.Println(account.ConnectionStatus)
	fmt.Println(box.WaitForDelivery("ACCOUNT_CONNECTED").State, <-events)
	// Output:
	// CONNECTED
	// DELIVERED ACCOUNT_CONNECTED
}

// Every branch of a frontend and a backend can be tested with people with trouble.
func ExampleSandbox_Link() {
	t := &example{}
	defer t.end()
	box := sandboxtest.Start(t, sandboxtest.Options{})
	user := box.CreateUser(nil)
	for _, login := range []string{"locked", "tos", "mfa-timeout"} {
		fmt.Println(box.Link(user.ID, "sss_ph", login).Connection.ErrorCode)
	}
	// Output:
	// ACCOUNT_LOCKED
	// TOS_REQUIRED
	// MFA_TIMEOUT
}

// Two months pass in an instant.
func ExampleSandbox_Advance() {
	t := &example{}
	defer t.end()
	box := sandboxtest.Start(t, sandboxtest.Options{})
	user := box.CreateUser(nil)
	box.Link(user.ID, "cdecorp", "George")
	box.Advance(61 * 24 * time.Hour) // this provider's data expires after 60 days
	fmt.Println(box.Accounts(user.ID)[0].ConnectionStatus)
	// Output: DISCONNECTED
}

func register(box *sandboxtest.Sandbox, url string) {
	body := fmt.Sprintf(`{"name":"app","url":%q,"eventTypes":["ACCOUNT_CONNECTED"],"active":true,"secret":"s"}`, url)
	request, err := http.NewRequest(http.MethodPost, box.BaseURL+"/webhooks", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.SetBasicAuth(box.Key, box.Secret)
	request.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		panic(err)
	}
	_ = response.Body.Close()
}
