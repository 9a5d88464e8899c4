package accountsync

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
)

// checkOutput notes when the output is not what was written, so that it is made anew; and refuses one of somebody
// else before anything is fetched for it.
func (v *visit) checkOutput(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	target, wanted := targetOf(sync)
	if !wanted {
		return nil
	}
	v.opened = opened{}
	set, err := v.openSet(ctx, sync, target)
	if err != nil {
		return err
	}
	for _, one := range knownObjects(sync) {
		// What cannot be opened now is not written over later.
		_ = v.open(ctx, sync, one)
	}
	asWritten := holds(sync, target) && set.Sealed(v.Identity, sync.Status.Output.Fingerprint)
	dressed, err := v.dressed(sync, target, len(set))
	if err != nil {
		return err
	}
	v.whole = v.whole || !asWritten
	v.change(!asWritten || !dressed)
	return nil
}

// dressed tells whether the objects of an output carry their owner and the template's metadata.
func (v *visit) dressed(sync *v1alpha1.SmileAccountSync, target output.Target, objects int) (bool, error) {
	for n := range objects {
		ok, err := v.Outputs.AsDeclared(sync, v.opened[target.Part(n+1)], templateOf(sync))
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// write makes the output hold what is kept: what was fetched, and of the other accounts what it holds already.
func (v *visit) write(ctx context.Context, p *pass) error {
	sync := p.Object
	target, wanted := targetOf(sync)
	if !wanted {
		if err := v.drop(ctx, sync, knownObjects(sync)); err != nil {
			return err
		}
		sync.Status.Output = nil
		v.record(sync)
		p.Drop()
		return nil
	}
	if !v.changed {
		p.Keep()
		return nil
	}
	accounts, err := v.kept(ctx, p)
	if err != nil {
		return err
	}
	if len(accounts) == 0 && sync.Status.Output == nil && v.opened[target].Content() == nil {
		p.Set(metav1.ConditionFalse, v1alpha1.ReasonAwaitingEndUser, "there is no data to write yet")
		return nil
	}
	changed, err := v.store(ctx, p, target, accounts)
	if err != nil {
		return err
	}
	v.record(sync)
	if changed && len(accounts) > 0 {
		p.Event(corev1.EventTypeNormal, v1alpha1.ReasonDataWritten, "Write", "wrote new data of the linked accounts to the output")
	}
	return nil
}

// record says in the status what was fetched, now that it is written.
func (v *visit) record(sync *v1alpha1.SmileAccountSync) {
	for _, one := range v.fetched {
		i := slices.IndexFunc(sync.Status.Accounts, func(a v1alpha1.SyncedAccount) bool { return a.ID == one.entry.ID })
		if i >= 0 {
			sync.Status.Accounts[i] = one.entry
		}
	}
}

// kept is the data of all accounts of which some is to be kept. What cannot be fetched again and is not in the output
// any more is lost.
func (v *visit) kept(ctx context.Context, p *pass) ([]output.Account, error) {
	var accounts []output.Account
	for _, one := range v.fetched {
		accounts = append(accounts, one.data)
	}
	rest := namesOf(p.Object.Status.Accounts, func(a v1alpha1.SyncedAccount) bool { return isKept(a) && !v.isFetched(a.ID) })
	if len(rest) == 0 {
		return accounts, nil
	}
	held, err := v.heldAccounts(ctx, p.Object)
	if err != nil {
		return nil, err
	}
	for i := range p.Object.Status.Accounts {
		entry := &p.Object.Status.Accounts[i]
		if !slices.Contains(rest, entry.ID) {
			continue
		}
		if account, ok := held[entry.ID]; ok {
			accounts = append(accounts, account)
			continue
		}
		*entry = erased(*entry, p.Now)
		if disconnected(*entry) {
			p.Event(corev1.EventTypeWarning, v1alpha1.ReasonDataLost, "Write",
				"data of an account that Smile has no longer is not in the output any more and cannot be fetched again")
		} else {
			entry.FinishedTasks, entry.DataAsOf, entry.ErasedAt = 0, nil, nil
		}
	}
	return accounts, nil
}

// conclude ends the pass: with what the data still lacks, if anything.
func (v *visit) conclude(_ context.Context, p *pass) error {
	status := &p.Object.Status
	status.LastHandledRequest, status.DataGeneration = engine.Echo(p.Object, v1alpha1.AnnotationRequestedAt), p.Object.Generation
	status.DataPending = false
	if v.trouble != nil {
		return v.trouble
	}
	p.Keep()
	return nil
}

// untilNextLook says when to look again at an account whose data is still being gathered.
func untilNextLook(p *pass, entry *v1alpha1.SyncedAccount) time.Duration {
	if entry.ConnectedAt == nil {
		return promise
	}
	next := mirror.Looks(entry.ConnectedAt.Time, p.Now).Next
	if next.IsZero() {
		return promise
	}
	if overdue := entry.ConnectedAt.Add(promise); overdue.After(p.Now) && overdue.Before(next) {
		next = overdue
	}
	return max(next.Sub(p.Now), time.Second)
}
