package transport

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	shareMetric = prometheus.NewDesc("smile_operator_api_budget_share",
		"Part of the call budget in use: 1, or less since the API host has said that there are too many calls.",
		[]string{"host"}, nil)
	waitingMetric = prometheus.NewDesc("smile_operator_api_budget_waiting",
		"Calls that wait for the call budget.", []string{"host"}, nil)
)

// Describe implements prometheus.Collector.
func (s *BudgetSet) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- shareMetric
	descriptions <- waitingMetric
}

// Collect implements prometheus.Collector. There are as many hosts as the operator's flags permit.
func (s *BudgetSet) Collect(metrics chan<- prometheus.Metric) {
	s.mu.Lock()
	budgets := maps.Clone(s.budgets)
	s.mu.Unlock()
	for host, budget := range budgets {
		metrics <- prometheus.MustNewConstMetric(shareMetric, prometheus.GaugeValue, budget.Share(), host)
		metrics <- prometheus.MustNewConstMetric(waitingMetric, prometheus.GaugeValue, float64(budget.Waiting()), host)
	}
}
