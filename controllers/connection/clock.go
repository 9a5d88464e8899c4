package connection

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const (
	clockSkew = "the clock of the operator differs from Smile's by more than 30 seconds: synchronize the clock of the operator's node; " +
		"beyond 10 minutes, no data is erased because spec.retention.ttl has passed"
	clockSkewExcessive = "the clock of the operator differs from Smile's by more than 10 minutes: synchronize the clock of the operator's node; " +
		"until then, no data is erased because spec.retention.ttl has passed"
)

// clock compares the clock of this process with Smile's. Until Smile has responded, the condition stays as it was.
func (v *visit) clock(_ context.Context, p *pass) error {
	skew := v.conn.Skew()
	before := meta.IsStatusConditionFalse(p.Object.Status.Conditions, v1alpha1.ConditionClockSynchronized)
	switch {
	case !skew.Known:
		p.Keep()
	case skew.Excessive():
		p.Set(metav1.ConditionFalse, v1alpha1.ReasonClockSkew, clockSkewExcessive)
	case skew.Noticed(before):
		p.Set(metav1.ConditionFalse, v1alpha1.ReasonClockSkew, clockSkew)
	}
	return nil
}
