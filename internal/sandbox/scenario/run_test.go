package scenario

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// TestMain lets the test binary be a program of a scenario.
func TestMain(m *testing.M) {
	switch os.Getenv("SCENARIO_TEST_PROGRAM") {
	case "fails":
		os.Exit(3)
	case "works":
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// accepting is the network of the webhooks: all of them accept.
type accepting struct{}

func (accepting) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
}

// play does the steps of a scenario against a sandbox, and returns the lines of the
// report. application runs at the same time.
func play(t *testing.T, text string, application func(context.Context, *server.Sandbox)) (Report, []string) {
	t.Helper()
	read, err := Read("f.yaml", []byte(text), noFlags)
	if err != nil {
		t.Fatal(err)
	}
	box, err := server.New(server.Options{WebhookTransport: accepting{}})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	var lines []string
	runner := &Runner{Sandbox: box, Output: io.Discard, Done: func(r Result) { lines = append(lines, r.String()) }}
	if application != nil {
		go application(t.Context(), box)
	}
	return runner.Run(t.Context(), read), lines
}

// post calls the Open API as the application.
func post(box *server.Sandbox, path, body string) int {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.SetBasicAuth("sandbox-key", "sandbox-secret")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	box.ServeHTTP(w, r)
	return w.Code
}

// TestEverySteps: all kinds of steps do what they say. The application creates a user
// after two seconds.
func TestEveryStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		report, lines := play(t, `
name: everything
steps:
- webhook: {url: "https://a.test/hooks", secret: s}
- faults: [{operation: create-user, action: "status:503"}]
- deliveryFaults: [{eventType: ACCOUNT_FAILED, action: lose}]
- findUser: {as: bob, metadata: {customer: "42"}}
- expect: {calls: {operation: create-user, status: 503}, count: 1}
- expect: {calls: {method: POST, path: /v1/users, status: 201, user: bob}}
- user: {as: ann, metadata: {customer: "43"}}
- link: {user: bob, provider: sss_ph, login: George}
- link: {user: ann, provider: sss_ph, login: George, password: wrong}
- expect: {accounts: {user: bob, provider: sss_ph, status: CONNECTED}, count: 1}
- expect: {accounts: {user: ann, errorCode: INVALID_CREDENTIALS}}
- expect: {deliveries: {event: ACCOUNT_CONNECTED, user: bob, state: DELIVERED, status: 204, attempts: 1}, count: 1}
- expect: {deliveries: {event: ACCOUNT_FAILED, user: ann, state: LOST, url: "https://a.test/hooks"}, count: 1}
- resync: {user: bob, provider: sss_ph}
- expect: {deliveries: {event: ACCOUNT_SYNC_TASK_FINISHED}}
- fail: {user: bob, provider: sss_ph, errorCode: ACCOUNT_LOCKED}
- expect: {accounts: {user: bob, status: ERROR, errorCode: ACCOUNT_LOCKED}, count: 1}
- disconnect: {user: bob, provider: sss_ph}
- expect: {accounts: {user: bob, status: DISCONNECTED}, atLeast: 1, atMost: 1}
- link: {user: ann, provider: sss_ph, login: disconnects}
- name: nothing yet
  expect: {deliveries: {event: ACCOUNT_DISCONNECTED, user: ann}, count: 0}
- advance: 1m
- name: now
  expect: {deliveries: {event: ACCOUNT_DISCONNECTED, user: ann, state: DELIVERED}, count: 1}
`, func(_ context.Context, box *server.Sandbox) {
			time.Sleep(2 * time.Second)
			for post(box, "/v1/users", `{"externalMetadata":{"customer":"42","more":"x"}}`) != http.StatusCreated {
				time.Sleep(time.Second)
			}
		})
		if report.Failed() || len(report.Results) != 23 {
			t.Error(strings.Join(lines, "\n"))
		}
		if took := report.Results[3].Took; took < 3*time.Second || took > 4*time.Second {
			t.Errorf("the application was awaited for %s", took)
		}
	})
}

// TestFailure: the first step that fails says what there is instead, and ends the
// scenario.
func TestFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		report, lines := play(t, `name: fails
steps:
- user: {as: ann}
- link: {user: ann, provider: sss_ph, login: locked}
- expect:
    accounts: {user: ann, status: CONNECTED}
    within: 3s
- advance: 1h
`, nil)
		if took := report.Results[2].Took; took != 3*time.Second {
			t.Errorf("waited %s", took)
		}
		if diff := cmp.Diff([]string{
			"ok     1  create user ann (0.00 s)",
			"ok     2  link ann at sss_ph as locked (0.00 s)",
			"FAIL   3  expect accounts, at least 1: user ann, status CONNECTED (line 5)\n" +
				"          after 3s there are 0. All accounts: 1 x sss_ph ERROR ACCOUNT_LOCKED",
			"skip   4  advance the clock by 1h0m0s",
		}, lines); diff != "" {
			t.Error(diff)
		}
		var junit strings.Builder
		if err := report.WriteJUnit(&junit); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="fails" tests="4" failures="1" skipped="1" time="3.000">
    <testcase name="1 create user ann" classname="fails" time="0.000"></testcase>
    <testcase name="2 link ann at sss_ph as locked" classname="fails" time="0.000"></testcase>
    <testcase name="3 expect accounts, at least 1: user ann, status CONNECTED" classname="fails" time="3.000">
      <failure message="after 3s there are 0. All accounts: 1 x sss_ph ERROR ACCOUNT_LOCKED">line 5: after 3s there are 0. All accounts: 1 x sss_ph ERROR ACCOUNT_LOCKED</failure>
    </testcase>
    <testcase name="4 advance the clock by 1h0m0s" classname="fails" time="0.000">
      <skipped></skipped>
    </testcase>
  </testsuite>
</testsuites>
`, junit.String()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestPrograms: a step succeeds if its program does.
func TestPrograms(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	box, err := server.New(server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	for outcome, wants := range map[string]string{"works": "", "fails": "exit status 3"} {
		runner := &Runner{
			Sandbox: box, Output: io.Discard, Done: func(Result) {}, Environment: []string{"SCENARIO_TEST_PROGRAM=" + outcome},
		}
		report := runner.Run(t.Context(), &Scenario{Steps: []Step{{Run: &Command{self}}}, lines: []int{1}})
		if err := report.Results[0].Err; wants == "" && err != nil || wants != "" && (err == nil || err.Error() != wants) {
			t.Errorf("%s: %v", outcome, err)
		}
	}
}

// TestInterrupted: a step that waits ends with the context, and says why.
func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box, err := server.New(server.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer box.Close()
		late := errors.New("too late")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, late)
		defer cancel()
		runner := &Runner{Sandbox: box, Output: io.Discard, Done: func(Result) {}}
		report := runner.Run(ctx, &Scenario{Steps: []Step{{Expect: &Expectation{Calls: &Calls{}}}}, lines: []int{1}})
		if !errors.Is(report.Results[0].Err, late) {
			t.Error(report.Results[0].Err)
		}
	})
}
