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

// What keeps personal data from being fetched without need: a change of the spec that selects no other data, an output that
// only moves, and an output that cannot be written.

// dataSpecOf is a hash of the part of the spec that decides which data is fetched.
func dataSpecOf(sync *v1alpha1.SmileAccountSync) string {
	selection, _ := json.Marshal([]any{sync.Spec.Providers, sync.Spec.AccountIDs, sync.Spec.Datapoints}) // strings always can be
	hash := sha256.Sum256(selection)
	return hex.EncodeToString(hash[:16])
}

// reselects reports whether the spec selects other data than what was fetched. An earlier version kept no hash.
func reselects(sync *v1alpha1.SmileAccountSync) bool {
	if sync.Status.DataSpec == "" {
		return regenerated(sync)
	}
	return sync.Status.DataSpec != dataSpecOf(sync)
}

// moves reports whether the output is complete in its former place, from where its content goes to where the spec wants it
// now.
func (v *visit) moves(sync *v1alpha1.SmileAccountSync) bool {
	target, _ := targetOf(sync)
	if sync.Status.Output == nil || holds(sync, target) {
		return false
	}
	former := knownObjects(sync)[0]
	return v.opened[former] != nil && v.formerSet(former).Sealed(v.Identity, sync.Status.Output.Fingerprint)
}

// tryToWrite asks the API server by a dry run whether the output may be written, before data is fetched for it. An output
// that is there and in order needs no such question.
func (v *visit) tryToWrite(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	target, wanted := targetOf(sync)
	inOrder := v.asWritten && meta.IsStatusConditionTrue(sync.Status.Conditions, v1alpha1.ConditionOutputReady)
	if !wanted || !v.changed || inOrder {
		return nil
	}
	err := v.Outputs.Check(ctx, sync, v.opened[target], output.Blank(sync.Spec.Datapoints), v.templateOf(sync))
	if err == nil {
		return nil
	}
	return problem.Classify(err).On(v1alpha1.ConditionOutputReady)
}
