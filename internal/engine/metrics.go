package engine

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var orphaned = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "smile_operator_orphaned_total",
	Help: "Objects released, by annotation or because they waited long enough, while something at Smile was still to be undone.",
}, []string{"kind"})

func init() { metrics.Registry.MustRegister(orphaned) }
