package broker

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/smile-operator/smile-operator/internal/appapi"
	"github.com/smile-operator/smile-operator/internal/auditlog"
)

// auditTo writes a record of each call to the audit log, unless the call was forwarded: then the leader writes it.
func auditTo(log *auditlog.Log) func(appapi.Record) {
	return func(r appapi.Record) {
		if !r.Relayed {
			log.Write(audited(r))
		}
	}
}

func audited(r appapi.Record) auditlog.Record {
	call, operation := r.Call, r.Call.Operation
	entry := auditlog.Record{
		Actor:  auditlog.ActorApplicationAPI,
		Object: auditlog.Object{Namespace: call.Namespace, Kind: operation.Kind, Name: call.Name, UID: call.UID},
		Call: &auditlog.Call{
			ID: call.ID, Verb: operation.Verb, Resource: operation.Resource + "/" + operation.Subresource,
			ConsentRef: call.ConsentRef, Purpose: call.Purpose,
			Problem: string(r.Reason), DurationMS: r.Duration.Milliseconds(),
		},
		Action: actionOf(operation), Reason: auditlog.ReasonCalled, Outcome: outcomeOf(r.Reason),
	}
	if call.Caller != nil {
		entry.Caller = call.Caller.GetName()
	}
	return entry
}

func actionOf(operation *appapi.Operation) auditlog.Action {
	if operation == appapi.CreateLink {
		return auditlog.ActionLinked
	}
	return auditlog.ActionMinted
}

func outcomeOf(reason appapi.Reason) auditlog.Outcome {
	switch {
	case reason == "":
		return auditlog.OutcomeSucceeded
	case reason.MayHaveHadEffect():
		return auditlog.OutcomeUnknown
	case reason.Status() < http.StatusInternalServerError:
		return auditlog.OutcomeRefused
	default:
		return auditlog.OutcomeFailed
	}
}

// noCall is the label of requests that match no operation.
const noCall = "none"

// Metrics of the application API.
type Metrics struct {
	calls     *prometheus.CounterVec
	durations *prometheus.HistogramVec
}

// NewMetrics makes the metrics. Their labels are from closed sets.
func NewMetrics() *Metrics {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "smile_operator_application_api_calls_total",
			Help: "Requests to the application API, by call and outcome: Succeeded, Relayed, or the reason of the problem.",
		}, []string{"call", "outcome"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "smile_operator_application_api_duration_seconds",
			Help: "Time to answer a call of the application API.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 12),
		}, []string{"call"}),
	}
	for _, operation := range appapi.Operations {
		m.calls.WithLabelValues(operation.Name, appapi.Succeeded)
		m.durations.WithLabelValues(operation.Name)
	}
	return m
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descriptions chan<- *prometheus.Desc) {
	m.calls.Describe(descriptions)
	m.durations.Describe(descriptions)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	m.calls.Collect(metrics)
	m.durations.Collect(metrics)
}

func (m *Metrics) observe(operation, outcome string, took time.Duration) {
	if operation == "" {
		m.calls.WithLabelValues(noCall, outcome).Inc()
		return
	}
	m.calls.WithLabelValues(operation, outcome).Inc()
	m.durations.WithLabelValues(operation).Observe(took.Seconds())
}
