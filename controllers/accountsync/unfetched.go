package accountsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// Personal data is not fetched without need: not if a change of the spec selects no other data, if an output only moves, or
// if an output cannot be written.

// dataSpecOf is a hash of the part of the spec that decides which data is fetched.
func dataSpecOf(sync *v1alpha1.SmileAccountSync) string {
	selection, _ := json.Marshal([]any{sync.Spec.Providers, sync.Spec.AccountIDs, sync.Spec.Datapoints}) // strings always can be
	hash := sha256.Sum256(selection)
	return hex.EncodeToString(hash[:16])
}

// reselects reports whether the spec selects other data than was fetched. A status of an earlier version has no hash.
func reselects(sync *v1alpha1.SmileAccountSync) bool {
	if sync.Status.DataSpec == "" {
		return regenerated(sync)
	}
	return sync.Status.DataSpec != dataSpecOf(sync)
}

// moves reports whether the output is complete in its former place, from which it moves to the place that the spec names now.
func (s *scope) moves(sync *v1alpha1.SmileAccountSync) bool {
	target, _ := targetOf(sync)
	if sync.Status.Output == nil || holds(sync, target) {
		return false
	}
	former := dataObjects(sync)[0]
	return s.opened[former] != nil && s.formerSet(former).Sealed(s.r.Identity, sync.Status.Output.Fingerprint)
}

// tryToWrite checks by a dry run whether the API server lets the output be written, before data is fetched for it. An output
// that exists and is in order needs no check.
func (s *scope) tryToWrite(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	target, wanted := targetOf(sync)
	inOrder := s.asWritten && meta.IsStatusConditionTrue(sync.Status.Conditions, v1alpha1.ConditionOutputReady)
	if !wanted || !s.plan.write || inOrder {
		return nil
	}
	err := s.r.Outputs.Check(ctx, sync, s.opened[target], output.Blank(sync.Spec.Datapoints), s.r.templateOf(sync))
	if err == nil {
		return nil
	}
	return problem.Classify(err).On(v1alpha1.ConditionOutputReady)
}
