package accountsync

import (
	"context"
	"slices"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/output"
)

// The objects that data is written to. status.output names every one that may hold any before it is made, so that none
// is forgotten, whenever this process dies.

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

func templateOf(sync *v1alpha1.SmileAccountSync) *v1alpha1.OutputTemplate {
	if sync.Spec.Output == nil {
		return nil
	}
	return sync.Spec.Output.Template
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

// open reads an object, once in a pass. What is written later is written over exactly what was read here.
func (v *visit) open(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) error {
	if v.opened == nil {
		v.opened = opened{}
	}
	if v.opened[target] != nil {
		return nil
	}
	stored, err := v.Outputs.Open(ctx, sync, target)
	if err != nil {
		return err
	}
	if stored.LeftBehind() {
		return stored.Conflict()
	}
	v.opened[target] = stored
	return nil
}

// openSet reads an output with all its parts; nil when there is none.
func (v *visit) openSet(ctx context.Context, sync *v1alpha1.SmileAccountSync, target output.Target) (output.Set, error) {
	var set output.Set
	for n, parts := 1, 1; n <= parts; n++ {
		if err := v.open(ctx, sync, target.Part(n)); err != nil {
			return nil, err
		}
		content := v.opened[target.Part(n)].Content()
		if content == nil && n == 1 {
			return nil, nil
		}
		if n == 1 {
			parts = output.PartsOf(content)
		}
		set = append(set, content)
	}
	return set, nil
}

// heldAccounts is the data that the objects hold, by account. What is not ours, or not any more, holds nothing.
func (v *visit) heldAccounts(ctx context.Context, sync *v1alpha1.SmileAccountSync) (map[string]output.Account, error) {
	held := map[string]output.Account{}
	for _, target := range knownObjects(sync) {
		set, err := v.openSet(ctx, sync, target)
		if engine.IsProblem(err, v1alpha1.ReasonOutputConflict) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, account := range set.Accounts() {
			if _, twice := held[account.ID]; !twice {
				held[account.ID] = account
			}
		}
	}
	return held, nil
}

// store makes the output hold the data of these accounts and nothing else, and tells whether that changed anything. The
// object with the index is written last; objects that are not needed any more go after that.
func (v *visit) store(ctx context.Context, p *pass, target output.Target, accounts []output.Account) (changed bool, err error) {
	sync := p.Object
	set, err := output.Render(accounts, sync.Spec.Datapoints, target, v.Identity)
	if err != nil {
		return false, err
	}
	needed := make([]output.Target, len(set))
	for i := range set {
		needed[i] = target.Part(i + 1)
	}
	if err := v.announce(ctx, p, needed); err != nil {
		return false, err
	}
	for i, content := range slices.Backward(set) {
		stored := v.opened[needed[i]]
		if stored == nil {
			stored = output.Absent(needed[i])
		}
		written, err := v.Outputs.Write(ctx, sync, stored, content, templateOf(sync))
		if err != nil {
			return changed, err
		}
		changed = changed || written
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
