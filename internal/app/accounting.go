package app

import (
	"context"
	"fmt"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/output"
)

// accounting is what remembers acts on people's data: for the people who must account for it, and for the operator.
type accounting struct {
	audit  *auditlog.Log
	ledger *output.Ledger
}

func newAccounting(
	life context.Context, live client.Client, connections *connection.Registry, options Options, key identity.Key,
) (accounting, error) {
	destination, err := auditlog.Open(options.AuditLog)
	if err != nil {
		return accounting{}, fmt.Errorf("--audit-log: %w", err)
	}
	ledger := output.NewLedger(life, output.LedgerConfig{
		Live: live, Namespace: options.namespace(), Key: key, Today: connections.Today,
		Days: options.ErasureLedgerDays, Interval: output.LedgerInterval,
	})
	if err := metrics.Registry.Register(ledger); err != nil {
		return accounting{}, fmt.Errorf("registering the metrics of the erasure ledger: %w", err)
	}
	return accounting{auditlog.New(destination, clock.RealClock{}, ctrl.Log.WithName("audit")), ledger}, nil
}
