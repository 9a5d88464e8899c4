package mirror

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var refreshes = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "smile_operator_mirror_refreshes_total",
	Help: "Refreshes of the accounts or tasks of all users that were due, by a listing or user by user.",
}, []string{"resource", "how"})

var panics = prometheus.NewCounter(prometheus.CounterOpts{
	Name: "smile_operator_mirror_panics_total",
	Help: "Listings that ended in a panic. They are retried.",
})

func init() { metrics.Registry.MustRegister(refreshes, panics) }

var (
	ageDesc = prometheus.NewDesc("smile_operator_mirror_age_seconds",
		"Age of the oldest part of the mirror, per API account.", []string{"account"}, nil)
	usersDesc = prometheus.NewDesc("smile_operator_mirror_users",
		"Remote users in the mirror, per API account.", []string{"account"}, nil)
)

// Describe implements prometheus.Collector.
func (s *Set) Describe(descs chan<- *prometheus.Desc) {
	descs <- ageDesc
	descs <- usersDesc
}

// Collect implements prometheus.Collector.
func (s *Set) Collect(collected chan<- prometheus.Metric) {
	for _, m := range s.all() {
		collected <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, m.poller.age().Seconds(), m.poller.account)
		collected <- prometheus.MustNewConstMetric(usersDesc, prometheus.GaugeValue, float64(m.size()), m.poller.account)
	}
}
