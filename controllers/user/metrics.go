package user

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var duplicates = prometheus.NewCounter(prometheus.CounterOpts{
	Name: "smile_operator_duplicate_remote_users_total",
	Help: "Times that a person was found to have more than one user at Smile.",
})

func init() { metrics.Registry.MustRegister(duplicates) }
