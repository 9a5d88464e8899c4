package mirror

import (
	"time"

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
		"Age of the oldest part of the oldest mirror. Absent without mirrors.", nil, nil)
	mirrorsDesc = prometheus.NewDesc("smile_operator_mirrors", "Mirrors, one for each API account.", nil, nil)
	usersDesc   = prometheus.NewDesc("smile_operator_mirror_users", "Users at Smile in all mirrors.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Set) Describe(descs chan<- *prometheus.Desc) {
	descs <- ageDesc
	descs <- mirrorsDesc
	descs <- usersDesc
}

// Collect implements prometheus.Collector.
func (s *Set) Collect(collected chan<- prometheus.Metric) {
	mirrors := s.all()
	var oldest time.Duration
	users := 0
	for _, m := range mirrors {
		oldest = max(oldest, m.poller.age())
		users += m.size()
	}
	if len(mirrors) > 0 {
		collected <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, oldest.Seconds())
	}
	collected <- prometheus.MustNewConstMetric(mirrorsDesc, prometheus.GaugeValue, float64(len(mirrors)))
	collected <- prometheus.MustNewConstMetric(usersDesc, prometheus.GaugeValue, float64(users))
}
