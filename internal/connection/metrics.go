package connection

import "github.com/prometheus/client_golang/prometheus"

var breakersDesc = prometheus.NewDesc("smile_operator_api_breakers_open",
	"Key pairs that are not used, except for a probe every 15 minutes: refused, because Smile refuses them, or wrong_mode.",
	[]string{"reason"}, nil)

// Describe implements prometheus.Collector.
func (r *Registry) Describe(descs chan<- *prometheus.Desc) { descs <- breakersDesc }

// Collect implements prometheus.Collector.
func (r *Registry) Collect(metrics chan<- prometheus.Metric) {
	r.mu.Lock()
	sessions := map[*session]struct{}{}
	for _, conn := range r.connections {
		sessions[conn.session] = struct{}{}
	}
	r.mu.Unlock()
	open := map[string]int{"refused": 0, "wrong_mode": 0}
	for s := range sessions {
		switch {
		case s.breaker.wrongMode():
			open["wrong_mode"]++
		case s.breaker.denied():
			open["refused"]++
		}
	}
	for reason, count := range open {
		metrics <- prometheus.MustNewConstMetric(breakersDesc, prometheus.GaugeValue, float64(count), reason)
	}
}
