package receiver

import (
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
	// misdirected requests are no events at all.
	misdirected outcome = "misdirected"
	// throttled sources have sent too much that was not genuine.
	throttled outcome = "throttled"
	// overloaded means that too many requests were under way.
	overloaded outcome = "overloaded"
	// tooLarge and unread bodies were not read to their end.
	tooLarge outcome = "too_large"
	unread   outcome = "unread"
	// unauthorized requests were not proven.
	unauthorized outcome = "unauthorized"
	// unreadable events were proven and make no sense.
	unreadable outcome = "unreadable"
	// unavailable means that a genuine event could not be kept, or not be proven.
	unavailable outcome = "unavailable"
	// panicked is a mistake of ours.
	panicked outcome = "panicked"
)

var outcomes = []outcome{
	accepted, unknownUser, noUser, misdirected, throttled, overloaded, tooLarge, unread, unauthorized, unreadable,
	unavailable, panicked,
}

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
)

func init() {
	metrics.Registry.MustRegister(requests, latency)
	for _, o := range outcomes {
		requests.WithLabelValues(string(o))
	}
}
