package accountsync

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// The objects that data is written to. status.output names every one that may hold any before it is made, so that none
// is forgotten, whenever this process dies.

// leftRetry is when to look again at an output that was left behind and is not taken back.
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

// holds tells whether the output is where the spec wants it.
func holds(sync *v1alpha1.SmileAccountSync, target output.Target) bool {
	held := sync.Status.Output
	return held != nil && held.Name == target.Name && held.Kind == string(target.Kind)
}

// knownObjects are all that may hold data, the one with the index first.
func knownObjects(sync *v1alpha1.SmileAccountSync) []output.Target {
	held := sync.Status.Output
	if held == nil {
		return nil
	}
	known := []output.Target{{Kind: output.Kind(held.Kind), Name: held.Name}}
	for _, other := range held.Others {
		known = append(known, output.Target{Kind: output.Kind(other.Kind), Name: other.Name})
	}
	return known
}

// places are all objects that may hold an index: those that the status knows, and the one that the spec names.
func places(sync *v1alpha1.SmileAccountSync) []output.Target {
	all := knownObjects(sync)
	if target, wanted := targetOf(sync); wanted && !slices.Contains(all, target) {
		all = append(all, target)
	}
	return all
}

// open reads an object, once in a pass. What is written later is written over exactly what was read here.
func (v *visit) open(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) error {
	if v.opened == nil {
		v.opened = opened{}
	}
	if v.opened[target] != nil {
		return nil
	}
	stored, err := v.Outputs.Open(ctx, sync, target)
	if err == nil {
		v.opened[target] = stored
	}
	return err
}

// openSet reads an output with all its parts; nil when there is none. One that was foreign stays so for the whole pass: its
// content was not judged when the pass began, so it must not be written over.
func (v *visit) openSet(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) (output.Set, error) {
	if err := v.foreign[target]; err != nil {
		return nil, err
	}
	set, err := v.readSet(ctx, sync, target)
	if isForeign(err) {
		if v.foreign == nil {
			v.foreign = map[output.Target]error{}
		}
		v.foreign[target] = err
	}
	return set, err
}

// readSet reads an output with all its parts; nil when there is none. One that a deleted object left behind belongs to this
// one only if its seal proves that it was written for this output and this user.
func (v *visit) readSet(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) (output.Set, error) {
	var set output.Set
	var left []*output.Stored
	for n, parts := 1, 1; n <= parts; n++ {
		if err := v.open(ctx, sync, target.Part(n)); err != nil {
			return nil, err
		}
		stored := v.opened[target.Part(n)]
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
	if _, sealed := v.unseal(sync, target, set); !sealed || v.userID() == "" {
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
		"the %s %q was left behind by a deleted object, and no seal proves that it was written for this one and its user: "+
			"it stays as it is; choose another name or delete it", target.Kind, target.Name)).After(leftRetry)
}

// isForeign reports whether an object could not be opened because it is not, or not yet, this object's to use.
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

// holdings are the data that the objects hold and that can be believed, by account. What is not ours, or not any more,
// holds nothing, and neither does what was changed.
func (v *visit) holdings(ctx context.Context, sync *v1alpha1.SmileAccountSync) (map[string]holding, error) {
	held := map[string]holding{}
	for _, place := range places(sync) {
		set, err := v.openSet(ctx, sync, place)
		if isForeign(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		facts, sealed := v.unseal(sync, place, set)
		if !sealed && !v.vouched(sync, place, set) {
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

// vouched reports whether the status vouches for an output that no seal proves: its fingerprint is the one that the status
// has, or the status has none because a write was cut short, and the content is one that this installation wrote.
func (v *visit) vouched(sync *v1alpha1.SmileAccountSync, place output.Target, set output.Set) bool {
	known := knownObjects(sync)
	if !slices.Contains(known, place) {
		return false
	}
	if fingerprint := sync.Status.Output.Fingerprint; fingerprint != "" {
		return place == known[0] && set.Own().Sealed(v.Identity, fingerprint)
	}
	return set.Own().Consistent(v.Identity)
}

// store makes the output hold the data of these accounts and nothing else, and tells whether that changed anything. The
// object with the index is written last; objects that are not needed any more go after that.
// entries are those that the status has then.
func (v *visit) store(
	ctx context.Context, p *pass, target output.Target, held []holding, entries []v1alpha1.SyncedAccount,
) (changed bool, err error) {
	sync := p.Object
	if target.Kind == output.ConfigMap && !namesFields(sync) && !holds(sync, target) {
		return false, errUnnamedFields
	}
	accounts := make([]output.Account, len(held))
	for i, one := range held {
		accounts[i] = one.data
	}
	set, err := output.Render(accounts, sync.Spec.Datapoints, target, v.Identity)
	if err != nil {
		return false, err
	}
	sealText := v.sealOf(sync, target, set, held, entries)
	needed := make([]output.Target, len(set))
	for i := range set {
		needed[i] = target.Part(i + 1)
	}
	if err := v.announce(ctx, p, needed); err != nil {
		return false, err
	}
	if changed, err = v.writeAll(ctx, sync, set, needed, sealText); err != nil {
		return changed, err
	}
	v.opened = nil
	former := slices.DeleteFunc(knownObjects(sync), func(t output.Target) bool { return slices.Contains(needed, t) })
	if err := v.drop(ctx, sync, former); err != nil {
		return changed, err
	}
	sync.Status.Output = outputStatus(needed)
	sync.Status.Output.Fingerprint = set.Fingerprint(v.Identity)
	return changed, nil
}

// writeAll writes the parts of an output, the one with the index and the seal last, and reports whether that changed anything.
func (v *visit) writeAll(
	ctx context.Context, sync *v1alpha1.SmileAccountSync, set output.Set, places []output.Target, sealText string,
) (changed bool, err error) {
	for i, content := range slices.Backward(set) {
		stored := v.opened[places[i]]
		if stored == nil {
			stored = output.Absent(places[i])
		}
		if i == 0 {
			stored.SetSeal(sealText)
		}
		changed = changed || !stored.Content().Equal(content)
		if _, err := v.Outputs.Write(ctx, sync, stored, content, v.templateOf(sync)); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// announce stores in the status which objects are going to hold data, unless it knows them all. It fails with a conflict
// when the object has changed since it was read.
func (v *visit) announce(ctx context.Context, p *pass, needed []output.Target) error {
	known := knownObjects(p.Object)
	isNew := func(t output.Target) bool { return !slices.Contains(known, t) }
	if !slices.ContainsFunc(needed, isNew) {
		return nil
	}
	all := slices.Clone(needed)
	for _, one := range known {
		if !slices.Contains(needed, one) {
			all = append(all, one)
		}
	}
	p.Object.Status.Output = outputStatus(all)
	return p.WriteIntent(ctx)
}

func outputStatus(objects []output.Target) *v1alpha1.OutputStatus {
	status := &v1alpha1.OutputStatus{Kind: string(objects[0].Kind), Name: objects[0].Name}
	for _, other := range objects[1:] {
		status.Others = append(status.Others, v1alpha1.OutputObject{Kind: string(other.Kind), Name: other.Name})
	}
	return status
}

// drop deletes objects, for they hold personal data.
func (v *visit) drop(ctx context.Context, sync *v1alpha1.SmileAccountSync, objects []output.Target) error {
	for _, one := range objects {
		if err := v.Outputs.Delete(ctx, sync, one); err != nil {
			return err
		}
	}
	return nil
}

// dropOutput deletes an output that the spec does not want any more. It needs neither Smile nor the person's object.
func (v *visit) dropOutput(ctx context.Context, p *pass) error {
	sync := p.Object
	p.Set(v1alpha1.ConditionOutputReady, engine.Absent)
	if sync.Status.Output == nil {
		return nil
	}
	if err := v.drop(ctx, sync, knownObjects(sync)); err != nil {
		return err
	}
	sync.Status.Output = nil
	gone := erasures{}
	for _, id := range namesOf(sync.Status.Accounts, isKept) {
		gone[id] = cause{auditlog.ActionErased, auditlog.ReasonSpecChanged}
	}
	v.tellErased(p, gone, auditlog.OutcomeSucceeded)
	return nil
}
