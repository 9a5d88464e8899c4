package transport

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// statuses are those that the API documents. Others are counted together, so that a
// server cannot cause new series.
var statuses = []int{200, 201, 204, 400, 401, 403, 404, 415, 429, 500, 501, 502, 503, 504}

// Metrics counts and times calls. It is a prometheus.Collector, to be registered
// once, and shared by all Transports.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	wait     prometheus.Histogram
}

// NewMetrics returns Metrics that are not registered anywhere.
func NewMetrics() *Metrics {
	return &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "smile_operator_api_requests_total",
			Help: "Calls of the Smile API, by operation and HTTP status; unsent, timeout and failed without one.",
		}, []string{"operation", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "smile_operator_api_request_duration_seconds",
			Help:    "Time from sending a call of the Smile API to the last byte of its answer.",
			Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}, []string{"operation"}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "smile_operator_api_budget_wait_seconds",
			Help:    "Time that calls of the Smile API waited for the call budget.",
			Buckets: []float64{0.001, 0.01, 0.1, 0.5, 1, 5, 15, 60, 300},
		}),
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descriptions chan<- *prometheus.Desc) {
	m.requests.Describe(descriptions)
	m.duration.Describe(descriptions)
	m.wait.Describe(descriptions)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	m.requests.Collect(metrics)
	m.duration.Collect(metrics)
	m.wait.Collect(metrics)
}

func (m *Metrics) waited(duration time.Duration) { m.wait.Observe(duration.Seconds()) }

// measure is the step that counts calls which had a slot.
func (m *Metrics) measure(next http.RoundTripper) http.RoundTripper {
	return tripper(func(request *http.Request) (*http.Response, error) {
		operation, sent := operationLabel(request.Context()), time.Now()
		response, err := next.RoundTrip(request)
		m.requests.WithLabelValues(operation, codeLabel(response, err)).Inc()
		done := func() { m.duration.WithLabelValues(operation).Observe(time.Since(sent).Seconds()) }
		if err != nil {
			done()
			return nil, err
		}
		response.Body = closing{response.Body, done}
		return response, nil
	})
}

func operationLabel(ctx context.Context) string {
	if operation, ok := smile.OperationFrom(ctx); ok {
		return operation.ID
	}
	return "other"
}

func codeLabel(response *http.Response, err error) string {
	if err == nil {
		return statusLabel(response.StatusCode)
	}
	if _, unsent := errors.AsType[*smile.UnsentError](err); unsent {
		return "unsent"
	}
	if errors.Is(smile.Classify(err), context.DeadlineExceeded) {
		return "timeout"
	}
	return "failed"
}

func statusLabel(status int) string {
	if slices.Contains(statuses, status) {
		return strconv.Itoa(status)
	}
	return "other"
}
