package accountsync

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// The objects that data is written to. status.output names each object before it is created. So none is forgotten, even if the
// process ends at any moment.

// leftRetry is the delay until an output that was left behind, and is not taken back, is read again.
const leftRetry = 5 * time.Minute

// opened are objects as they were read, by their names.
type opened map[output.Target]*output.Stored

func targetOf(sync *v1alpha1.SmileAccountSync) (output.Target, bool) {
	out := sync.Spec.Output
	switch {
	case out == nil:
		return output.Target{}, false
	case out.Secret != nil:
		return output.Target{Kind: output.Secret, Name: out.Secret.Name}, true
	case out.ConfigMap != nil:
		return output.Target{Kind: output.ConfigMap, Name: out.ConfigMap.Name}, true
	default:
		return output.Target{}, false
	}
}

// holds reports whether the output in the status is the one that the spec names.
func holds(sync *v1alpha1.SmileAccountSync, target output.Target) bool {
	held := sync.Status.Output
	return held != nil && held.Name == target.Name && held.Kind == string(target.Kind)
}

// dataObjects are all objects that may hold data, the one with the index first.
func dataObjects(sync *v1alpha1.SmileAccountSync) []output.Target {
	return output.TargetsOf(sync.Status.Output)
}

// places are all objects that may hold an index: those in the status, and the one that the spec names.
func places(sync *v1alpha1.SmileAccountSync) []output.Target {
	all := dataObjects(sync)
	if target, wanted := targetOf(sync); wanted && !slices.Contains(all, target) {
		all = append(all, target)
	}
	return all
}

// open reads an object, once in a reconcile. A later write replaces exactly the version that was read here.
func (s *scope) open(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) error {
	if s.opened == nil {
		s.opened = opened{}
	}
	if s.opened[target] != nil {
		return nil
	}
	stored, err := s.r.Outputs.Open(ctx, sync, target)
	if err == nil {
		s.opened[target] = stored
	}
	return err
}

// openSet reads an output with all its parts; nil if there is none. An output that was foreign stays foreign for the whole
// reconcile: its content was not judged at the beginning, so it must not be overwritten.
func (s *scope) openSet(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) (output.Set, error) {
	if err := s.foreign[target]; err != nil {
		return nil, err
	}
	set, err := s.readSet(ctx, sync, target)
	if isForeign(err) {
		if s.foreign == nil {
			s.foreign = map[output.Target]error{}
		}
		s.foreign[target] = err
	}
	return set, err
}

// readSet reads an output with all its parts; nil if there is none. An output that a deleted object left behind belongs to this
// object only if its seal proves that it was written for this output and this user.
func (s *scope) readSet(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) (output.Set, error) {
	var set output.Set
	var left []*output.Stored
	for n, parts := 1, 1; n <= parts; n++ {
		if err := s.open(ctx, sync, target.Part(n)); err != nil {
			return nil, err
		}
		stored := s.opened[target.Part(n)]
		if stored.Content() == nil && n == 1 {
			return nil, nil
		}
		if n == 1 {
			parts = output.PartsOf(stored.Content())
		}
		if stored.LeftBehind() {
			left = append(left, stored)
		}
		set = append(set, stored.Content())
	}
	if len(left) == 0 {
		return set, nil
	}
	if _, sealed := s.unseal(sync, target, set); !sealed || s.userID() == "" {
		return nil, leftAlone(target)
	}
	for _, stored := range left {
		stored.TakeBack()
	}
	return set, nil
}

// leftAlone is the problem of an output that was left behind and is not taken back.
func leftAlone(target output.Target) error {
	return problem.NewInvalid(v1alpha1.ReasonOutputConflict, fmt.Sprintf(
		"the %s %q was left behind by a deleted object, and no seal proves that it was written for this object and its user: "+
			"it is left unchanged; choose another name or delete it", target.Kind, target.Name)).After(leftRetry)
}

// isForeign reports whether an output could not be opened because it does not, or not yet, belong to this object.
func isForeign(err error) bool {
	return problem.Is(err, v1alpha1.ReasonOutputConflict) || problem.Is(err, v1alpha1.ReasonProgressing)
}

// holding is the data that an output holds of one account.
type holding struct {
	data output.Account
	// facts are those of the seal when sealed is true; else the status vouches for the data.
	facts  output.AccountFacts
	sealed bool
}

// holdings is the trustworthy data in the outputs, by account. An output that belongs to another owner, or that was changed,
// has none.
func (s *scope) holdings(ctx context.Context, sync *v1alpha1.SmileAccountSync) (map[string]holding, error) {
	held := map[string]holding{}
	for _, place := range places(sync) {
		set, err := s.openSet(ctx, sync, place)
		if isForeign(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		facts, sealed := s.unseal(sync, place, set)
		if !sealed && !s.vouched(sync, place, set) {
			continue
		}
		for _, account := range set.Accounts() {
			if _, twice := held[account.ID]; !twice {
				held[account.ID] = holding{account, facts[account.ID], sealed}
			}
		}
	}
	return held, nil
}

// vouched reports whether the status proves an output that no seal proves. Either its fingerprint is the one in the status,
// or the status has none because a write was interrupted, and this installation wrote the content.
func (s *scope) vouched(sync *v1alpha1.SmileAccountSync, place output.Target, set output.Set) bool {
	objects := dataObjects(sync)
	if !slices.Contains(objects, place) {
		return false
	}
	if fingerprint := sync.Status.Output.Fingerprint; fingerprint != "" {
		return place == objects[0] && set.Own().Sealed(s.r.Identity, fingerprint)
	}
	return set.Own().Consistent(s.r.Identity)
}

// store writes the data of these accounts, and nothing else, to the output, and reports whether that changed anything. The
// object with the index is written last. Then the objects that are no longer needed are deleted. entries are the ones of the
// status afterwards.
func (s *scope) store(
	ctx context.Context, run *run, target output.Target, held []holding, entries []v1alpha1.SyncedAccount,
) (changed bool, err error) {
	sync := run.Object
	if target.Kind == output.ConfigMap && !namesFields(sync) && !holds(sync, target) {
		return false, errUnnamedFields
	}
	accounts := make([]output.Account, len(held))
	for i, one := range held {
		accounts[i] = one.data
	}
	set, err := output.Render(accounts, sync.Spec.Datapoints, target, s.r.Identity)
	if err != nil {
		return false, err
	}
	sealText := s.sealOf(sync, target, set, held, entries)
	needed := make([]output.Target, len(set))
	for i := range set {
		needed[i] = target.Part(i + 1)
	}
	if err := s.announce(ctx, run, needed); err != nil {
		return false, err
	}
	if changed, err = s.writeAll(ctx, sync, set, needed, sealText); err != nil {
		return changed, err
	}
	s.opened = nil
	former := slices.DeleteFunc(dataObjects(sync), func(t output.Target) bool { return slices.Contains(needed, t) })
	if err := s.drop(ctx, sync, former); err != nil {
		return changed, err
	}
	sync.Status.Output = outputStatus(needed)
	sync.Status.Output.Fingerprint = set.Fingerprint(s.r.Identity)
	return changed, nil
}

// writeAll writes the parts of an output, the one with the index and the seal last, and reports whether that changed anything.
func (s *scope) writeAll(
	ctx context.Context, sync *v1alpha1.SmileAccountSync, set output.Set, places []output.Target, sealText string,
) (changed bool, err error) {
	for i, content := range slices.Backward(set) {
		stored := s.opened[places[i]]
		if stored == nil {
			stored = output.Absent(places[i])
		}
		if i == 0 {
			stored.SetSeal(sealText)
		}
		changed = changed || !stored.Content().Equal(content)
		if _, err := s.r.Outputs.Write(ctx, sync, stored, content, s.r.templateOf(sync)); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// announce stores in the status which objects are going to hold data, unless it names them all already. It fails with a
// conflict if the SmileAccountSync has changed since it was read.
func (s *scope) announce(ctx context.Context, run *run, needed []output.Target) error {
	objects := dataObjects(run.Object)
	isNew := func(t output.Target) bool { return !slices.Contains(objects, t) }
	if !slices.ContainsFunc(needed, isNew) {
		return nil
	}
	all := slices.Clone(needed)
	for _, one := range objects {
		if !slices.Contains(needed, one) {
			all = append(all, one)
		}
	}
	run.Object.Status.Output = outputStatus(all)
	return run.WriteIntent(ctx)
}

func outputStatus(objects []output.Target) *v1alpha1.OutputStatus {
	status := &v1alpha1.OutputStatus{Kind: string(objects[0].Kind), Name: objects[0].Name}
	for _, other := range objects[1:] {
		status.Others = append(status.Others, v1alpha1.OutputObject{Kind: string(other.Kind), Name: other.Name})
	}
	return status
}

// drop deletes objects that hold personal data.
func (s *scope) drop(ctx context.Context, sync *v1alpha1.SmileAccountSync, objects []output.Target) error {
	for _, one := range objects {
		if err := s.r.Outputs.Delete(ctx, sync, one); err != nil {
			return err
		}
	}
	return nil
}

// dropOutput deletes an output that the spec no longer asks for. It needs neither Smile nor the SmileUser.
func (s *scope) dropOutput(ctx context.Context, run *run) error {
	sync := run.Object
	s.found.output = outputUnwanted
	if sync.Status.Output == nil {
		return nil
	}
	if err := s.drop(ctx, sync, dataObjects(sync)); err != nil {
		return err
	}
	sync.Status.Output = nil
	gone := erasures{}
	for _, id := range namesOf(sync.Status.Accounts, isKept) {
		gone[id] = cause{auditlog.ActionErased, auditlog.ReasonSpecChanged}
	}
	s.recordErased(run, gone, auditlog.OutcomeSucceeded)
	return nil
}
