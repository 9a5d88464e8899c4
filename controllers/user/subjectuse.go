package user

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/secretuse"
)

// checkSubjectUse warns if the Secret of an existing user does not permit its value to be used as a business key. The user
// continues, but could not be created again. The Secret is read once after a start, and then only while there is a warning.
func (s *scope) checkSubjectUse(ctx context.Context, run *run) (engine.Outcome, error) {
	user := run.Object
	warned := meta.FindStatusCondition(user.Status.Conditions, v1alpha1.ConditionSecretUsePermitted) != nil
	switch {
	case user.Spec.SubjectFrom == nil || user.Status.UserID == "":
		return engine.Absent, nil // for a new user, the condition Provisioned reports it
	case !run.First && !warned:
		return engine.Unchanged, nil
	}
	ref := ownership.SubjectReference(user)
	secret, err := ref.Read(ctx, s.r.Live)
	switch {
	case problem.Is(err, v1alpha1.ReasonSecretNotFound):
		return engine.Absent, nil
	case err != nil:
		return engine.Unchanged, err
	case secretuse.Permitted(secret.Annotations, ref.Use):
		return engine.Absent, nil
	default:
		return engine.Warning(v1alpha1.ReasonSecretUseNotPermitted, "Provision", ref.Warning()), nil
	}
}
