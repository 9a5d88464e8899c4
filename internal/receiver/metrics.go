package receiver

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// outcome is the outcome of a request: one of a closed set.
type outcome string

const (
	// accepted events led to a stored hint.
	accepted outcome = "accepted"
	// unknownUser events are about a user that no object here has.
	unknownUser outcome = "unknown_user"
	// noUser events name no user.
	noUser outcome = "no_user"
	// notFound, methodNotAllowed and unsupportedMediaType requests are not events.
	notFound             outcome = "not_found"
	methodNotAllowed     outcome = "method_not_allowed"
	unsupportedMediaType outcome = "unsupported_media_type"
	// rateLimited means that the source has sent too many requests to paths that are not registered.
	rateLimited outcome = "rate_limited"
	// overloaded means that too many requests were being processed.
	overloaded outcome = "overloaded"
	// tooLarge and incomplete bodies were not read to the end.
	tooLarge   outcome = "too_large"
	incomplete outcome = "incomplete"
	// unauthorized requests are not genuine, as far as can be verified.
	unauthorized outcome = "unauthorized"
	// unreadable events are genuine but cannot be parsed.
	unreadable outcome = "unreadable"
	// unavailable means that an event could not be verified, or its hint could not be stored.
	unavailable outcome = "unavailable"
	// panicked is an error in the receiver.
	panicked outcome = "panicked"
)

// statuses are the statuses of the responses.
var statuses = map[outcome]int{
	accepted: http.StatusNoContent, unknownUser: http.StatusNoContent, noUser: http.StatusNoContent,
	notFound: http.StatusNotFound, methodNotAllowed: http.StatusMethodNotAllowed,
	unsupportedMediaType: http.StatusUnsupportedMediaType,
	rateLimited:          http.StatusTooManyRequests, overloaded: http.StatusServiceUnavailable,
	tooLarge: http.StatusRequestEntityTooLarge, incomplete: http.StatusRequestTimeout,
	unauthorized: http.StatusUnauthorized, unreadable: http.StatusBadRequest,
	unavailable: http.StatusServiceUnavailable, panicked: http.StatusInternalServerError,
}

func (o outcome) status() int { return statuses[o] }

var (
	requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "smile_operator_webhook_requests_total",
		Help: "Requests to the receiver of webhooks, by outcome.",
	}, []string{"outcome"})
	latency = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "smile_operator_webhook_ack_seconds",
		Help:    "Time from the arrival of an event to its acknowledgement, if a hint was stored.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	})
	connectionLimit = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "smile_operator_webhook_connection_limit_reached_total",
		Help: "Times that the receiver of webhooks reached its limit of connections. Further connections wait.",
	})
)

func init() {
	metrics.Registry.MustRegister(requests, latency, connectionLimit)
	for o := range statuses {
		requests.WithLabelValues(string(o))
	}
}
