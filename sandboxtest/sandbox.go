package sandboxtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Sandbox is a sandbox that serves. Its methods may be called by several goroutines.
type Sandbox struct {
	// URL is where it listens, for example http://127.0.0.1:41234. The page at / shows
	// what it has and does; the widget's script is at /v2/smile.v2.js.
	URL string
	// BaseURL is the base URL of the Open API: URL and /v1.
	BaseURL string
	// Key and Secret are the first key pair.
	Key, Secret string

	// Patience is how long WaitForCall and WaitForDelivery wait, in real time; 5 s at
	// first.
	Patience time.Duration

	tb   TB
	http http.Client
}

func newSandbox(tb TB, url, keys string) *Sandbox {
	parts := strings.SplitN(strings.Split(keys, ",")[0], ":", 3)
	s := &Sandbox{URL: url, BaseURL: url + "/v1", Patience: 5 * time.Second, tb: tb}
	s.Key = parts[0]
	if len(parts) > 1 {
		s.Secret = parts[1]
	}
	transport := &http.Transport{}
	s.http = http.Client{Transport: transport, Timeout: startLimit}
	tb.Cleanup(transport.CloseIdleConnections)
	return s
}

// CreateUser creates a user, as the application's backend would. Applications that
// create their users themselves do not need it: see [Sandbox.WaitForCall].
func (s *Sandbox) CreateUser(externalMetadata map[string]string) User {
	s.tb.Helper()
	var made struct {
		User  struct{ ID string }
		Token struct{ AccessToken string }
	}
	s.must(http.MethodPost, "users", map[string]any{"key": s.Key, "externalMetadata": externalMetadata}, &made)
	return User{ID: made.User.ID, AccessToken: made.Token.AccessToken}
}

// Link links an account, as a test person does in the widget. login is that of a test
// person with the password 123456 and the code 1234, such as George, or one of the people
// with trouble, such as locked. The account may not be CONNECTED afterwards: then its
// status and error code say why.
func (s *Sandbox) Link(userID, providerID, login string) Account {
	s.tb.Helper()
	return s.LinkAs(Login{UserID: userID, ProviderID: providerID, Login: login, Password: "123456", MFA: "1234"})
}

// LinkAs is Link with another password or code.
func (s *Sandbox) LinkAs(login Login) (made Account) {
	s.tb.Helper()
	s.must(http.MethodPost, "link", login, &made)
	return made
}

// Accounts lists the accounts of a user, oldest first.
func (s *Sandbox) Accounts(userID string) []Account {
	s.tb.Helper()
	var user struct{ Accounts []Account }
	s.must(http.MethodGet, "users/"+userID, nil, &user)
	return user.Accounts
}

// Disconnect withdraws consent, as a person does at the provider.
func (s *Sandbox) Disconnect(accountID string) Account {
	s.tb.Helper()
	return s.change(accountID, "disconnect", nil)
}

// Fail makes an account fail with an error code, such as EXPIRED_CREDENTIALS.
func (s *Sandbox) Fail(accountID, errorCode string) Account {
	s.tb.Helper()
	return s.change(accountID, "fail", map[string]string{"errorCode": errorCode})
}

// Resync fetches the data of an account again. What recurs monthly gets one more item.
func (s *Sandbox) Resync(accountID string) Account {
	s.tb.Helper()
	return s.change(accountID, "resync", nil)
}

func (s *Sandbox) change(accountID, how string, body any) (changed Account) {
	s.tb.Helper()
	s.must(http.MethodPost, "accounts/"+accountID+"/"+how, body, &changed)
	return changed
}

// Advance moves the sandbox clock forward. Everything that is due by then has happened
// when it returns; deliveries may still be on their way.
func (s *Sandbox) Advance(d time.Duration) {
	s.tb.Helper()
	s.must(http.MethodPost, "clock", map[string]string{"advance": d.String()}, nil)
}

// SetFaults replaces all faults of calls.
func (s *Sandbox) SetFaults(faults ...Fault) {
	s.tb.Helper()
	s.must(http.MethodPut, "faults", append([]Fault{}, faults...), nil)
}

// SetDeliveryFaults replaces all faults of deliveries.
func (s *Sandbox) SetDeliveryFaults(faults ...DeliveryFault) {
	s.tb.Helper()
	s.must(http.MethodPut, "deliveries/faults", append([]DeliveryFault{}, faults...), nil)
}

// Reset deletes everything: users, webhooks, faults, calls, deliveries, the time skipped.
func (s *Sandbox) Reset() {
	s.tb.Helper()
	s.must(http.MethodPost, "reset", nil, nil)
}

// Calls lists the calls of the Open API and the Link API, the newest 250,000 at least.
func (s *Sandbox) Calls() []Call {
	s.tb.Helper()
	return list[Call](s, "journal")
}

// Deliveries lists the events for webhooks, the newest 50,000 at least.
func (s *Sandbox) Deliveries() []Delivery {
	s.tb.Helper()
	return list[Delivery](s, "deliveries")
}

// WaitForCall waits for a successful call of an operation, such as
// create-user, and returns the first one.
func (s *Sandbox) WaitForCall(operation string) Call {
	s.tb.Helper()
	return await(s, "call of "+operation, s.Calls, func(c Call) bool {
		return c.Operation == operation && c.Status >= 200 && c.Status < 300
	}, func(c Call) string { return fmt.Sprintf("%s %d", c.Operation, c.Status) })
}

// WaitForDelivery waits until an event of that type was delivered, and returns
// the first one.
func (s *Sandbox) WaitForDelivery(eventType string) Delivery {
	s.tb.Helper()
	return await(s, "delivered event "+eventType, s.Deliveries, func(d Delivery) bool {
		return d.EventType == eventType && d.State == "DELIVERED"
	}, func(d Delivery) string { return d.EventType + " " + d.State })
}

// await waits for a value that matches. Otherwise it ends the test with what there is.
func await[T any](s *Sandbox, wanted string, list func() []T, matches func(T) bool, show func(T) string) (found T) {
	s.tb.Helper()
	var seen []string
	if !s.wait(s.Patience, func() bool {
		seen = nil
		for _, value := range list() {
			if matches(value) {
				found = value
				return true
			}
			seen = append(seen, show(value))
		}
		return false
	}) {
		s.tb.Fatalf("sandboxtest: no %s after %s; there are: %s", wanted, s.Patience, strings.Join(seen, ", "))
	}
	return found
}

// wait waits until ready.
func (s *Sandbox) wait(limit time.Duration, ready func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-s.tb.Context().Done():
			return false
		case <-deadline.C:
			return false
		case <-tick.C:
		}
	}
	return true
}

func (s *Sandbox) must(method, path string, body, result any) {
	s.tb.Helper()
	if err := s.call(method, path, body, result); err != nil {
		s.tb.Fatalf("sandboxtest: %v", err)
	}
}

// list reads lines of JSON.
func list[T any](s *Sandbox, path string) []T {
	s.tb.Helper()
	var all []T
	text, err := s.fetch(http.MethodGet, path, nil)
	if err != nil {
		s.tb.Fatalf("sandboxtest: %v", err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(text)); decoder.More(); {
		var one T
		if err := decoder.Decode(&one); err != nil {
			s.tb.Fatalf("sandboxtest: %s: %v", path, err)
		}
		all = append(all, one)
	}
	return all
}

// call calls the control API. result may be nil.
func (s *Sandbox) call(method, path string, body, result any) error {
	text, err := s.fetch(method, path, body)
	if err != nil || result == nil {
		return err
	}
	return json.Unmarshal(text, result)
}

func (s *Sandbox) fetch(method, path string, body any) ([]byte, error) {
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(s.tb.Context(), method, s.URL+"/_sandbox/"+path, &sent)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.http.Do(request)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		var refusal struct{ Error string }
		if json.Unmarshal(text, &refusal) != nil || refusal.Error == "" {
			refusal.Error = string(text)
		}
		return nil, fmt.Errorf("%s /_sandbox/%s: %d: %s", method, path, response.StatusCode, refusal.Error)
	}
	return text, nil
}
