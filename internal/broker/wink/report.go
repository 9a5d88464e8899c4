package wink

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// report counts violations of the policy that browsers report. Anybody can send a report, so it proves nothing and is not logged.
func (h *handler) report(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxReport))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	violations := readReports(text)
	for _, v := range violations {
		h.Metrics.violations.WithLabelValues(known(directives, v.directive), known(dispositions, v.disposition)).Inc()
	}
	h.Metrics.observe(callReport, Succeeded)
	w.WriteHeader(http.StatusNoContent)
}

type violation struct{ directive, disposition string }

// maxViolations is how many violations of one request count.
const maxViolations = 20

// readReports reads both forms of reports: that of report-uri, and that of report-to.
func readReports(text []byte) []violation {
	var old struct {
		Report *struct {
			Directive   string `json:"effective-directive"`
			Violated    string `json:"violated-directive"`
			Disposition string `json:"disposition"`
		} `json:"csp-report"`
	}
	if json.Unmarshal(text, &old) == nil && old.Report != nil {
		directive := old.Report.Directive
		if directive == "" {
			directive = old.Report.Violated
		}
		return []violation{{directive, old.Report.Disposition}}
	}
	var reports []struct {
		Type string `json:"type"`
		Body struct {
			Directive   string `json:"effectiveDirective"`
			Disposition string `json:"disposition"`
		} `json:"body"`
	}
	if json.Unmarshal(text, &reports) != nil {
		return nil
	}
	var found []violation
	for _, one := range reports[:min(len(reports), maxViolations)] {
		if one.Type == "csp-violation" {
			found = append(found, violation{one.Body.Directive, one.Body.Disposition})
		}
	}
	return found
}

// directives and dispositions are the values of labels; any other value is counted as other.
var (
	directives = []string{
		"base-uri", "connect-src", "default-src", "font-src", "form-action", "frame-ancestors", "frame-src", "img-src",
		"script-src", "script-src-attr", "script-src-elem", "style-src", "style-src-attr", "style-src-elem", "worker-src",
	}
	dispositions = []string{"enforce", "report"}
)

const other = "other"

func known(values []string, value string) string {
	if slices.Contains(values, value) {
		return value
	}
	return other
}

// Metrics of the hosted page. Their labels are from closed sets.
type Metrics struct {
	requests   *prometheus.CounterVec
	violations *prometheus.CounterVec
}

// NewMetrics makes the metrics.
func NewMetrics() *Metrics {
	return &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "smile_operator_wink_requests_total",
			Help: "Requests to the hosted page, by what they are for (page, open, file, report) and outcome: succeeded, or why not.",
		}, []string{"call", "outcome"}),
		violations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "smile_operator_wink_csp_violations_total",
			Help: "Violations of the hosted page's Content-Security-Policy that browsers reported, by directive and disposition.",
		}, []string{"directive", "disposition"}),
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descriptions chan<- *prometheus.Desc) {
	m.requests.Describe(descriptions)
	m.violations.Describe(descriptions)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	m.requests.Collect(metrics)
	m.violations.Collect(metrics)
}

func (m *Metrics) observe(call, outcome string) { m.requests.WithLabelValues(call, outcome).Inc() }
