package user

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var duplicateUsers = prometheus.NewCounter(prometheus.CounterOpts{
	Name: "smile_operator_duplicate_remote_users_total",
	Help: "Users found at Smile that are duplicates of another user of the same person.",
})

func init() { metrics.Registry.MustRegister(duplicateUsers) }
