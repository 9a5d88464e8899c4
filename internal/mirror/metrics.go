package mirror

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var surveys = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "smile_operator_mirror_surveys_total",
	Help: "Times that accounts or tasks of all users were read, in a listing or user by user, whichever was fewer calls.",
}, []string{"resource", "how"})

var panics = prometheus.NewCounter(prometheus.CounterOpts{
	Name: "smile_operator_mirror_panics_total",
	Help: "Listings that ended in a panic. They are tried again.",
})

func init() { metrics.Registry.MustRegister(surveys, panics) }

var (
	ageDesc = prometheus.NewDesc("smile_operator_mirror_age_seconds",
		"Age of what is known of the remote side, per API account, the oldest part counts.", []string{"account"}, nil)
	usersDesc = prometheus.NewDesc("smile_operator_mirror_users",
		"Remote users that something is known of, per API account.", []string{"account"}, nil)
)

// Describe implements prometheus.Collector.
func (s *Set) Describe(descs chan<- *prometheus.Desc) {
	descs <- ageDesc
	descs <- usersDesc
}

// Collect implements prometheus.Collector.
func (s *Set) Collect(collected chan<- prometheus.Metric) {
	for _, m := range s.all() {
		collected <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, m.age().Seconds(), m.account)
		collected <- prometheus.MustNewConstMetric(usersDesc, prometheus.GaugeValue, float64(m.size()), m.account)
	}
}

// age is how old the picture of the remote side is. A process that has just begun takes the objects' statuses for it.
func (m *shared) age() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	since := m.set.started
	if m.rounds.began.After(since) {
		since = m.rounds.began
	}
	return m.set.Clock.Since(since)
}

// Stale tells whether the picture of the remote side is older than two intervals.
func (m *shared) Stale(interval time.Duration) bool { return m.age() > 2*interval }

func (m *shared) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.people.byID)
}
