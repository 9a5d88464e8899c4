package accountsync

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/output"
)

// erase takes out of the output what must not be kept any longer. It needs nothing but the status and the output
// itself: neither Smile nor the person's object have to be there for it. The status forgets the data only after the
// output has, so whatever comes of this pass, the next one knows what is left to do.
func (v *visit) erase(ctx context.Context, p *pass) error {
	p.Keep()
	return v.eraseDoomed(ctx, p)
}

func (v *visit) eraseDoomed(ctx context.Context, p *pass) error {
	sync, ended := p.Object, false
	var gone []string
	for _, account := range sync.Status.Accounts {
		if doomed(sync, account, p.Now) {
			gone = append(gone, account.ID)
			ended = ended || !disconnected(account) && selected(sync, account)
		}
	}
	if len(gone) > 0 {
		if err := v.eraseOutput(ctx, p, gone); err != nil {
			return err
		}
		p.Event(corev1.EventTypeNormal, v1alpha1.ReasonDataErased, "Erase",
			"erased data: its account was disconnected, its ttl has passed, or the spec no longer covers it")
	}
	for i, account := range sync.Status.Accounts {
		if doomed(sync, account, p.Now) {
			sync.Status.Accounts[i] = erased(account, p.Now)
		} else if at := expiresAt(sync, account); !at.IsZero() {
			p.WakeAt(at)
		}
	}
	if ended {
		p.Set(metav1.ConditionFalse, v1alpha1.ReasonDataExpired, dataExpired)
	}
	return nil
}

// eraseOutput writes the output again without some accounts.
func (v *visit) eraseOutput(ctx context.Context, p *pass, gone []string) error {
	sync := p.Object
	known := knownObjects(sync)
	if len(known) == 0 {
		return nil
	}
	set, err := v.openSet(ctx, sync, known[0])
	if err != nil && !engine.IsProblem(err, v1alpha1.ReasonOutputConflict) {
		return err
	}
	if set == nil { // it is gone, or somebody else's by now: what belonged to it goes as well
		if err := v.drop(ctx, sync, known[1:]); err != nil {
			return err
		}
		sync.Status.Output.Others, sync.Status.Output.Fingerprint = nil, ""
		return nil
	}
	rest, err := v.remaining(ctx, sync, gone)
	if err != nil {
		return err
	}
	asWritten := set.Sealed(v.Identity, sync.Status.Output.Fingerprint)
	if _, err := v.store(ctx, p, known[0], rest); err != nil {
		return err
	}
	if !asWritten { // then what is left of it is to be fetched again
		sync.Status.Output.Fingerprint = ""
	}
	return nil
}

// remaining is the data that the output holds of accounts that are not gone.
func (v *visit) remaining(ctx context.Context, sync *v1alpha1.SmileAccountSync, gone []string) ([]output.Account, error) {
	held, err := v.heldAccounts(ctx, sync)
	if err != nil {
		return nil, err
	}
	var rest []output.Account
	for _, account := range sync.Status.Accounts {
		data, ok := held[account.ID]
		if ok && isKept(account) && !slices.Contains(gone, account.ID) {
			rest = append(rest, data)
		}
	}
	return rest, nil
}
