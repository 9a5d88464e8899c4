package app

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/smile-operator/smile-operator/internal/version"
)

// buildInfo is always 1. Its labels say which build runs.
var buildInfo = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
	Name:        "smile_operator_build_info",
	Help:        "Always 1. The labels are the version of the operator and of Go.",
	ConstLabels: prometheus.Labels{"version": version.Version, "goversion": runtime.Version()},
}, func() float64 { return 1 })

func init() { metrics.Registry.MustRegister(buildInfo) }
