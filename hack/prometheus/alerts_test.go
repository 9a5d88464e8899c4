package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

const alertsFile = "../../config/prometheus/alerts.yaml"

// evaluations is how often rules are evaluated.
const evaluations = 30 * time.Second

// cases are series of an alert, in the notation of Prometheus' tests: one sample a minute, for two hours. up is in all of them.
var cases = map[string]struct {
	// fires after a time with some series.
	fires string
	after time.Duration
	// stays quiet with others.
	quiet string
}{
	"SmileOperatorDown": {
		`smile_operator_build_info 1x9 stale _x109`, 15 * time.Minute,
		`smile_operator_build_info 1x9 stale _x3 1x106`, // a restart
	},
	"SmileOperatorNoLeader": {
		`smile_operator_build_info{instance="a"} 1x120
		 smile_operator_overdue_seconds{instance="a",kind="SmileUser"} 0x9 stale _x109`, 15 * time.Minute,
		`smile_operator_build_info{instance="a"} 1x120
		 smile_operator_build_info{instance="b"} 1x120
		 smile_operator_overdue_seconds{instance="a",kind="SmileUser"} 0x9 stale _x109
		 smile_operator_overdue_seconds{instance="b",kind="SmileUser"} _x11 0x108`, // another one leads
	},
	"SmileOperatorIdentitySecretLost": {
		`smile_operator_identity_secret_intact{instance="a"} 1x9 0x110
		 smile_operator_identity_secret_intact{instance="b"} 1x120`, 11 * time.Minute,
		`smile_operator_identity_secret_intact{instance="a"} 1x120`,
	},
	"SmileOperatorObjectsOverdue": {
		`smile_operator_overdue_seconds{kind="SmileUser"} 0+60x120`, 36 * time.Minute,
		`smile_operator_overdue_seconds{kind="SmileUser"} 0+60x29 0x90`,
	},
	"SmileOperatorObjectsNotReady": {
		`smile_operator_objects{kind="SmileUser",ready="False",reason="UserIDConflict"} 1x120`, time.Hour,
		`smile_operator_objects{kind="SmileUser",ready="True",reason="Succeeded"} 10x120
		 smile_operator_objects{kind="SmileUser",ready="False",reason="SmileUnavailable"} 1x50 _x70`,
	},
	"SmileOperatorCredentialsRefused": {
		`smile_operator_objects_condition_false{kind="SmileConnection",condition="CredentialsValid",reason="SecretNotFound"} 1x120`, 5 * time.Minute,
		`smile_operator_objects_condition_false{kind="SmileConnection",condition="Mirrored",reason="Stale"} 1x120`,
	},
	"SmileOperatorBreakerOpen": {
		`smile_operator_api_breakers_open{reason="refused"} 1x120`, 5 * time.Minute,
		`smile_operator_api_breakers_open{reason="refused"} 0x120
		 smile_operator_api_breakers_open{reason="wrong_mode"} 0x120`,
	},
	"SmileOperatorRevokesWaiting": {
		`smile_operator_objects_condition_false{kind="SmileConnection",condition="RevokesAllowed",reason="RevokesPaused"} 1x120`, 10 * time.Minute,
		`smile_operator_objects_condition_false{kind="SmileConnection",condition="RevokesAllowed",reason="RevokesPaused"} 1x8 stale _x109`,
	},
	"SmileOperatorDuplicateUsers": {
		`smile_operator_duplicate_remote_users_total 0x9 1x110`, 10 * time.Minute,
		`smile_operator_duplicate_remote_users_total 3x120`, // found long ago
	},
	"SmileOperatorBudgetExhausted": {
		`smile_operator_api_budget_waiting{host="api",lane="refresh"} 2x120
		 smile_operator_api_budget_reconciles_away{host="api",lane="refresh"} 0x120`, 30 * time.Minute,
		`smile_operator_api_budget_waiting{host="api",lane="refresh"} 2x25 0x1 2x25 0x60
		 smile_operator_api_budget_reconciles_away{host="api",lane="refresh"} 0x120`,
	},
	"SmileOperatorAPIFailing": {
		`smile_operator_api_requests_total{operation="listUsers",code="503"} 0+2x120
		 smile_operator_api_requests_total{operation="listUsers",code="200"} 0+1x120`, 11 * time.Minute,
		`smile_operator_api_requests_total{operation="listUsers",code="503"} 0+1x120
		 smile_operator_api_requests_total{operation="listUsers",code="200"} 0+2x120`,
	},
	"SmileOperatorReceiverRefusing": {
		`smile_operator_webhook_requests_total{outcome="unauthorized"} 0+1x120`, 11 * time.Minute,
		`smile_operator_webhook_requests_total{outcome="accepted"} 0+9x120
		 smile_operator_webhook_requests_total{outcome="not_found"} 0+9x120
		 smile_operator_webhook_requests_total{outcome="unauthorized"} 7x120`,
	},
}

// first is when an alert fires for the first time with some series; -1 if it does not within two hours.
func first(t *testing.T, a alert, series string) time.Duration {
	t.Helper()
	rule, err := a.rule(1)
	if err != nil {
		t.Fatal(err)
	}
	var load strings.Builder
	load.WriteString("load 1m\n up 1x120\n")
	for line := range strings.Lines(series) {
		load.WriteString(" " + strings.TrimSpace(line) + "\n")
	}
	stored := promqltest.LoadedStorage(t, load.String())
	p, err := newPrometheus()
	if err != nil {
		t.Fatal(err)
	}
	_ = p.storage.Close()
	p.storage = stored
	for at := time.Duration(0); at <= 2*time.Hour; at += evaluations {
		firing, err := p.firing(t.Context(), []*rules.AlertingRule{rule}, time.Unix(0, 0).Add(at))
		if err != nil {
			t.Fatal(err)
		}
		if len(firing) > 0 {
			return at
		}
	}
	return -1
}

func TestAlerts(t *testing.T) {
	alerts, err := readAlerts(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(alerts) != len(cases) {
		t.Errorf("%d alerts, %d cases", len(alerts), len(cases))
	}
	for _, a := range alerts {
		t.Run(a.Alert, func(t *testing.T) {
			test, ok := cases[a.Alert]
			if !ok {
				t.Fatal("there is no case")
			}
			if got := first(t, a, test.fires); got < test.after || got > test.after+time.Minute {
				t.Errorf("fires after %s, want %s", got, test.after)
			}
			if got := first(t, a, test.quiet); got >= 0 {
				t.Errorf("fires after %s, want never", got)
			}
		})
	}
}

// Each alert has a runbook with the same three sections, and names metrics that exist.
func TestRunbooks(t *testing.T) {
	alerts, err := readAlerts(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	documented, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../../docs/runbooks/*.md")
	if err != nil || len(pages) != len(alerts) {
		t.Errorf("%d runbooks for %d alerts: %v", len(pages), len(alerts), err)
	}
	sections := regexp.MustCompile(`(?s)^# (\w+)\n\n## What it means\n.+\n## What to check\n.+\n## What to do\n.+`)
	for _, a := range alerts {
		page, err := os.ReadFile("../../docs/runbooks/" + a.Alert + ".md")
		if err != nil {
			t.Error(err)
			continue
		}
		if match := sections.FindSubmatch(page); match == nil || string(match[1]) != a.Alert {
			t.Errorf("the runbook of %s does not have the sections of the others", a.Alert)
		}
		if !strings.HasSuffix(a.Annotations["runbook_url"], "/docs/runbooks/"+a.Alert+".md") {
			t.Errorf("%s links to %s", a.Alert, a.Annotations["runbook_url"])
		}
		for _, text := range []string{a.Annotations["summary"], a.Annotations["description"]} {
			if !strings.HasSuffix(text, ".") {
				t.Errorf("%s: %q is not a sentence", a.Alert, text)
			}
		}
		if a.Labels["severity"] != "critical" && a.Labels["severity"] != "warning" {
			t.Errorf("%s has the severity %q", a.Alert, a.Labels["severity"])
		}
		for _, metric := range regexp.MustCompile(`smile_operator_\w+`).FindAllString(a.Expr, -1) {
			if !strings.Contains(string(documented), "| `"+metric+"` |") {
				t.Errorf("%s: there is no metric %s", a.Alert, metric)
			}
		}
	}
}

// The queries of the dashboard name metrics that exist. End-to-end tests check that each returns a series.
func TestDashboard(t *testing.T) {
	queries, err := readQueries("../../config/grafana/smile-operator.json")
	if err != nil {
		t.Fatal(err)
	}
	documented, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range queries {
		if _, err := shortened(query, 1); err != nil {
			t.Errorf("%s: %v", query, err)
		}
		for _, name := range regexp.MustCompile(`smile_operator_\w+`).FindAllString(query, -1) {
			if !strings.Contains(string(documented), "| `"+strings.TrimSuffix(name, "_bucket")+"` |") {
				t.Errorf("%s: there is no metric %s", query, name)
			}
		}
	}
}
