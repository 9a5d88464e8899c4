package accountsync

import (
	"context"
	"fmt"
	"slices"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// What a spec may require of its output. The rules of the CRD check some of it when an object is applied, but an older CRD
// may be installed, or the object may have been stored before a rule existed.

var errUnnamedFields = problem.NewInvalid(v1alpha1.ReasonInvalidSpec,
	"spec.datapoints: a ConfigMap accepts only named fields of personal data: name the fields of every datapoint, "+
		"or use spec.output.secret").
	On(v1alpha1.ConditionOutputReady)

// namesFields reports whether every datapoint names its fields.
func namesFields(sync *v1alpha1.SmileAccountSync) bool {
	return !slices.ContainsFunc(sync.Spec.Datapoints, func(d v1alpha1.Datapoint) bool {
		return len(d.Fields)+len(d.Additional) == 0
	})
}

// isUnnamed reports whether the output is a ConfigMap that would hold more than named fields.
func isUnnamed(sync *v1alpha1.SmileAccountSync) bool {
	return sync.Spec.Output != nil && sync.Spec.Output.ConfigMap != nil && !namesFields(sync)
}

// templateOf is the template of the output without the annotations that the operator does not allow.
func (r *Reconciler) templateOf(sync *v1alpha1.SmileAccountSync) *v1alpha1.OutputTemplate {
	if sync.Spec.Output == nil {
		return nil
	}
	allowed, _ := r.Annotations.Apply(sync.Spec.Output.Template)
	return allowed
}

// checkTemplate warns of annotations that the operator does not allow. The output is written without them.
func (s *scope) checkTemplate(_ context.Context, run *run) (engine.Outcome, error) {
	var dropped []string
	if out := run.Object.Spec.Output; out != nil {
		_, dropped = s.r.Annotations.Apply(out.Template)
	}
	if len(dropped) == 0 {
		return engine.Absent, nil
	}
	return engine.Warning(v1alpha1.ReasonAnnotationNotAllowed, "Write", fmt.Sprintf("spec.output.template.metadata.annotations: "+
		"the operator's flag --allowed-output-annotations does not permit all of them, such as %s: "+
		"the output is written without those", dropped[0])), nil
}
