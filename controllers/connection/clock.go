package connection

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
)

const (
	clockSkew = "the clock of the operator differs from Smile's by more than 30 seconds: synchronize the clock of the operator's node; " +
		"beyond 10 minutes, no data is erased because spec.retention.ttl has passed"
	clockSkewExcessive = "the clock of the operator differs from Smile's by more than 10 minutes: synchronize the clock of the operator's node; " +
		"until then, no data is erased because spec.retention.ttl has passed"
)

// checkClock compares the clock of this process with Smile's. Until Smile has responded, the condition stays as it was.
func (s *scope) checkClock(_ context.Context, run *run) (engine.Outcome, error) {
	skew := s.conn.Skew()
	before := meta.IsStatusConditionFalse(run.Object.Status.Conditions, v1alpha1.ConditionClockSynchronized)
	switch {
	case !skew.Known:
		return engine.Unchanged, nil
	case skew.Excessive():
		return engine.False(v1alpha1.ReasonClockSkew, clockSkewExcessive), nil
	case skew.Noticed(before):
		return engine.False(v1alpha1.ReasonClockSkew, clockSkew), nil
	default:
		return engine.Succeeded, nil
	}
}
