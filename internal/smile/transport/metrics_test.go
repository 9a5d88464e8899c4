package transport

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/smile-operator/smile-operator/internal/smile"
)

func TestMetrics(t *testing.T) {
	metrics := NewMetrics()
	answers := []string{
		rawAnswer("201 Created", userAnswer), rawAnswer("201 Created", userAnswer), rawAnswer("200 OK", proofAnswer),
		rawAnswer("777 New", "{}"), "", "wait", rawAnswer("429 Too Many Requests", "{}", "Retry-After: 60"),
	}
	synctest.Test(t, func(t *testing.T) {
		var call atomic.Int64
		client := clientOf(piped(t, Config{Metrics: metrics}, func(conn net.Conn, _ *http.Request) bool {
			answer := answers[call.Add(1)-1]
			if answer == "wait" {
				time.Sleep(time.Hour)
			}
			return write(conn, answer) && answer != ""
		}))
		_ = create(t.Context(), client)
		_ = create(t.Context(), client)
		_ = client.Probe(t.Context())
		_ = client.RevokeAccount(t.Context(), "a")
		_ = create(t.Context(), client)
		_ = create(t.Context(), client)
		_, _ = client.CreateToken(t.Context(), "t-1")

		none := Config{Metrics: metrics, Credentials: func() Credentials { return Credentials{} }}
		_ = create(t.Context(), clientOf(piped(t, none, nil)))
	})
	want := `
# HELP smile_operator_api_requests_total Calls of the Smile API, by operation and HTTP status; unsent, timeout and failed without one.
# TYPE smile_operator_api_requests_total counter
smile_operator_api_requests_total{code="201",operation="create-user"} 2
smile_operator_api_requests_total{code="failed",operation="create-user"} 1
smile_operator_api_requests_total{code="timeout",operation="create-user"} 1
smile_operator_api_requests_total{code="unsent",operation="create-user"} 1
smile_operator_api_requests_total{code="200",operation="list-providers"} 1
smile_operator_api_requests_total{code="429",operation="create-token"} 1
smile_operator_api_requests_total{code="other",operation="delete-account"} 1
`
	if err := testutil.CollectAndCompare(metrics, strings.NewReader(want), "smile_operator_api_requests_total"); err != nil {
		t.Error(err)
	}
	if err := prometheus.NewPedanticRegistry().Register(metrics); err != nil {
		t.Error(err)
	}
	if got := testutil.CollectAndCount(metrics, "smile_operator_api_request_duration_seconds"); got != 4 {
		t.Errorf("%d operations timed, want 4", got)
	}
	if problems, err := testutil.CollectAndLint(metrics); err != nil || len(problems) != 0 {
		t.Errorf("%v %v", problems, err)
	}
}

func TestLabelsAreClosed(t *testing.T) {
	if got := operationLabel(t.Context()); got != "other" {
		t.Errorf("a call without operation is labeled %q", got)
	}
	labels := map[string]bool{}
	for status := range 1000 {
		labels[codeLabel(&http.Response{StatusCode: status}, nil)] = true
	}
	for _, err := range []error{&smile.UnsentError{}, http.ErrHandlerTimeout, net.ErrClosed, smile.ProblemTooLarge} {
		labels[codeLabel(nil, err)] = true
	}
	if len(labels) != len(statuses)+3 {
		t.Errorf("%d labels: %v", len(labels), labels)
	}
}

func TestBudgetMetrics(t *testing.T) {
	budgets := NewBudgetSet(20)
	synctest.Test(t, func(t *testing.T) {
		slowed := budgets.For("slowed.test:443")
		if err := budgets.For("other.test:443").Wait(smile.WithLane(t.Context(), smile.LaneCreate)); err != nil {
			t.Fatal(err)
		}
		slowed.Refused(time.Now(), 0)
		slowed.Refused(time.Now().Add(time.Nanosecond), time.Second)
		go func() { _ = slowed.Wait(t.Context()) }()
		synctest.Wait()
		budgets.Host("other.test:443").ended(context.DeadlineExceeded)
		want := `
# HELP smile_operator_api_budget_granted_total Calls that the call budget has permitted.
# TYPE smile_operator_api_budget_granted_total counter
smile_operator_api_budget_granted_total{host="other.test:443",lane="create"} 1
smile_operator_api_budget_granted_total{host="other.test:443",lane="hint"} 0
smile_operator_api_budget_granted_total{host="other.test:443",lane="refresh"} 0
smile_operator_api_budget_granted_total{host="other.test:443",lane="revoke"} 0
smile_operator_api_budget_granted_total{host="slowed.test:443",lane="create"} 0
smile_operator_api_budget_granted_total{host="slowed.test:443",lane="hint"} 0
smile_operator_api_budget_granted_total{host="slowed.test:443",lane="refresh"} 0
smile_operator_api_budget_granted_total{host="slowed.test:443",lane="revoke"} 0
# HELP smile_operator_api_budget_limit Calls a second that the call budget permits while all of it is in use. Absent if it is unlimited.
# TYPE smile_operator_api_budget_limit gauge
smile_operator_api_budget_limit{host="other.test:443"} 20
smile_operator_api_budget_limit{host="slowed.test:443"} 20
# HELP smile_operator_api_budget_reconciles_away Reconciles that ended because their turn in the call budget was not near, and run again when it is.
# TYPE smile_operator_api_budget_reconciles_away gauge
smile_operator_api_budget_reconciles_away{host="other.test:443",lane="create"} 0
smile_operator_api_budget_reconciles_away{host="other.test:443",lane="hint"} 0
smile_operator_api_budget_reconciles_away{host="other.test:443",lane="refresh"} 0
smile_operator_api_budget_reconciles_away{host="other.test:443",lane="revoke"} 0
smile_operator_api_budget_reconciles_away{host="slowed.test:443",lane="create"} 0
smile_operator_api_budget_reconciles_away{host="slowed.test:443",lane="hint"} 0
smile_operator_api_budget_reconciles_away{host="slowed.test:443",lane="refresh"} 0
smile_operator_api_budget_reconciles_away{host="slowed.test:443",lane="revoke"} 0
# HELP smile_operator_api_budget_share Part of the call budget in use: 1, or less since the API host has said that there are too many calls.
# TYPE smile_operator_api_budget_share gauge
smile_operator_api_budget_share{host="other.test:443"} 1
smile_operator_api_budget_share{host="slowed.test:443"} 0.5
# HELP smile_operator_api_budget_waiting Calls that wait for the call budget.
# TYPE smile_operator_api_budget_waiting gauge
smile_operator_api_budget_waiting{host="other.test:443",lane="create"} 0
smile_operator_api_budget_waiting{host="other.test:443",lane="hint"} 0
smile_operator_api_budget_waiting{host="other.test:443",lane="refresh"} 0
smile_operator_api_budget_waiting{host="other.test:443",lane="revoke"} 0
smile_operator_api_budget_waiting{host="slowed.test:443",lane="create"} 0
smile_operator_api_budget_waiting{host="slowed.test:443",lane="hint"} 0
smile_operator_api_budget_waiting{host="slowed.test:443",lane="refresh"} 1
smile_operator_api_budget_waiting{host="slowed.test:443",lane="revoke"} 0
# HELP smile_operator_api_host_timeouts Consecutive calls to an API host that timed out. From three on, one call at a time is sent until the host responds.
# TYPE smile_operator_api_host_timeouts gauge
smile_operator_api_host_timeouts{host="other.test:443"} 1
`
		if err := testutil.CollectAndCompare(budgets, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	})
}
