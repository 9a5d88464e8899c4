package receiver

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// outcome is what became of a request: a closed set.
type outcome string

const (
	// accepted events led to a stored hint.
	accepted outcome = "accepted"
	// unknownUser events are about a user that no object here has.
	unknownUser outcome = "unknown_user"
	// noUser events are about no user.
	noUser outcome = "no_user"
	// notFound, methodNotAllowed and unsupportedMediaType requests are no events at all.
	notFound             outcome = "not_found"
	methodNotAllowed     outcome = "method_not_allowed"
	unsupportedMediaType outcome = "unsupported_media_type"
	// rateLimited sources have sent too much to paths that are none.
	rateLimited outcome = "rate_limited"
	// overloaded means that too many requests were under way.
	overloaded outcome = "overloaded"
	// tooLarge and incomplete bodies were not read to their end.
	tooLarge   outcome = "too_large"
	incomplete outcome = "incomplete"
	// unauthorized requests were not proven.
	unauthorized outcome = "unauthorized"
	// unreadable events were proven and make no sense.
	unreadable outcome = "unreadable"
	// unavailable means that a genuine event could not be kept, or not be proven.
	unavailable outcome = "unavailable"
	// panicked is a mistake of ours.
	panicked outcome = "panicked"
)

// statuses are what is answered.
var statuses = map[outcome]int{
	accepted: http.StatusNoContent, unknownUser: http.StatusNoContent, noUser: http.StatusNoContent,
	notFound: http.StatusNotFound, methodNotAllowed: http.StatusMethodNotAllowed, unsupportedMediaType: http.StatusUnsupportedMediaType,
	rateLimited: http.StatusTooManyRequests, overloaded: http.StatusServiceUnavailable,
	tooLarge: http.StatusRequestEntityTooLarge, incomplete: http.StatusRequestTimeout,
	unauthorized: http.StatusUnauthorized, unreadable: http.StatusBadRequest,
	unavailable: http.StatusServiceUnavailable, panicked: http.StatusInternalServerError,
}

func (o outcome) status() int { return statuses[o] }

var (
	requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "smile_operator_webhook_requests_total",
		Help: "Requests to the receiver of webhooks, by what became of them.",
	}, []string{"outcome"})
	latency = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "smile_operator_webhook_ack_seconds",
		Help:    "Time from the arrival of an event that was kept to its acknowledgement.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	})
	connectionLimit = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "smile_operator_webhook_connection_limit_reached_total",
		Help: "Times that the receiver of webhooks came to have as many connections as it accepts: others wait then.",
	})
)

func init() {
	metrics.Registry.MustRegister(requests, latency, connectionLimit)
	for o := range statuses {
		requests.WithLabelValues(string(o))
	}
}
