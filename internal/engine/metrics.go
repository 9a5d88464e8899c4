package engine

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var orphaned = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "smile_operator_orphaned_total",
	Help: "Objects that were released, by annotation or after a time limit, while something at Smile had not been undone.",
}, []string{"kind"})

var (
	waitingForWorker = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "smile_operator_reconciles_waiting",
		Help: "Objects that are due and wait for a worker, by kind.",
	}, []string{"kind"})
	workersHeld = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "smile_operator_workers_held_most",
		Help: "Largest number of workers of a kind that one connection, or API host, holds.",
	}, []string{"kind", "by"})
)

func init() { metrics.Registry.MustRegister(orphaned, waitingForWorker, workersHeld, overdueObjects) }
