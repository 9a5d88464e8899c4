package transport

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/smile-operator/smile-operator/internal/smile"
)

var (
	shareMetric = prometheus.NewDesc("smile_operator_api_budget_share",
		"Part of the call budget in use: 1, or less since the API host has said that there are too many calls.",
		[]string{"host"}, nil)
	limitMetric = prometheus.NewDesc("smile_operator_api_budget_limit",
		"Calls a second that the call budget permits while all of it is in use. Absent if it is unlimited.", []string{"host"}, nil)
	grantedMetric = prometheus.NewDesc("smile_operator_api_budget_granted_total",
		"Calls that the call budget has permitted.", []string{"host", "lane"}, nil)
	waitingMetric = prometheus.NewDesc("smile_operator_api_budget_waiting",
		"Calls that wait for the call budget.", []string{"host", "lane"}, nil)
	awayMetric = prometheus.NewDesc("smile_operator_api_budget_reconciles_away",
		"Reconciles that ended because their turn in the call budget was not near, and run again when it is.",
		[]string{"host", "lane"}, nil)
	timeoutsMetric = prometheus.NewDesc("smile_operator_api_host_timeouts",
		"Consecutive calls to an API host that timed out. From three on, one call at a time is sent until the host responds.",
		[]string{"host"}, nil)
)

// Describe implements prometheus.Collector.
func (s *BudgetSet) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- shareMetric
	descriptions <- limitMetric
	descriptions <- grantedMetric
	descriptions <- waitingMetric
	descriptions <- awayMetric
	descriptions <- timeoutsMetric
}

// Collect implements prometheus.Collector. There are as many hosts as the operator's flags permit.
func (s *BudgetSet) Collect(metrics chan<- prometheus.Metric) {
	s.mu.Lock()
	budgets, hosts := maps.Clone(s.budgets), maps.Clone(s.hosts)
	s.mu.Unlock()
	for host, budget := range budgets {
		metrics <- prometheus.MustNewConstMetric(shareMetric, prometheus.GaugeValue, budget.Share(), host)
		if limit := budget.RequestsPerSecond(); limit > 0 {
			metrics <- prometheus.MustNewConstMetric(limitMetric, prometheus.GaugeValue, limit, host)
		}
		for i, use := range budget.Use() {
			lane := smile.Lane(i).String()
			metrics <- prometheus.MustNewConstMetric(grantedMetric, prometheus.CounterValue, float64(use.Granted), host, lane)
			metrics <- prometheus.MustNewConstMetric(waitingMetric, prometheus.GaugeValue, float64(use.Waiting), host, lane)
			metrics <- prometheus.MustNewConstMetric(awayMetric, prometheus.GaugeValue, float64(use.Away), host, lane)
		}
	}
	for name, host := range hosts {
		metrics <- prometheus.MustNewConstMetric(timeoutsMetric, prometheus.GaugeValue, float64(host.Timeouts()), name)
	}
}
