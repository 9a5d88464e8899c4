package accountsync

import (
	"cmp"
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/output"
)

// The seal keeps on the output what the status says of it, so that a status that is lost can be made again.

// userID is that of the remote user; "" while it is not known.
func (v *visit) userID() string {
	if v.user == nil {
		return ""
	}
	return v.user.Status.UserID
}

// unseal gives the facts of an output's seal by account. It reports false unless the seal was made for this output and
// user; while the user is not known, any user's will do.
func (v *visit) unseal(sync *v1alpha1.SmileAccountSync, target output.Target, set output.Set) (map[string]output.AccountFacts, bool) {
	facts, ok := set.Own().Unseal(v.Identity, sync.Namespace, target, v.opened[target].Seal())
	if !ok || v.userID() != "" && v.userID() != facts.UserID {
		return nil, false
	}
	accounts := map[string]output.AccountFacts{}
	for _, account := range facts.Accounts {
		accounts[account.ID] = account
	}
	return accounts, true
}

// sealOf is the seal of an output that is about to hold some data. Without a user it goes on for the user of the former
// seal; there is none where that proves nothing.
func (v *visit) sealOf(
	sync *v1alpha1.SmileAccountSync, target output.Target, set output.Set, held []holding, entries []v1alpha1.SyncedAccount,
) string {
	facts := output.Facts{UserID: v.userID()}
	if facts.UserID == "" {
		former, _ := v.formerSet(target).Own().Unseal(v.Identity, sync.Namespace, target, v.opened[target].Seal())
		facts.UserID = former.UserID
	}
	if facts.UserID == "" {
		return ""
	}
	for _, one := range held {
		facts.Accounts = append(facts.Accounts, one.facts)
	}
	facts.Accounts = append(facts.Accounts, remembered(entries)...)
	slices.SortFunc(facts.Accounts, func(a, b output.AccountFacts) int { return cmp.Compare(a.ID, b.ID) })
	return set.Seal(v.Identity, sync.Namespace, target, facts)
}

// formerSet is the output as it was opened.
func (v *visit) formerSet(target output.Target) output.Set {
	var set output.Set
	for n, parts := 1, 1; n <= parts; n++ {
		content := v.opened[target.Part(n)].Content()
		if n == 1 {
			parts = output.PartsOf(content)
		}
		set = append(set, content)
	}
	return set
}

// reseal brings the seal of an output that is as it was written up to what the status says of it. It calls nobody, and
// changes nothing but the annotation.
func (v *visit) reseal(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	target, _ := targetOf(sync)
	stored := v.opened[target]
	if stored.Content() == nil || !v.renewSeal(sync, target) {
		return nil
	}
	_, err := v.Outputs.Write(ctx, sync, stored, stored.Content(), v.templateOf(sync))
	return err
}

// renewSeal prepares the seal that the status asks for, and reports whether it is another one than the output carries.
func (v *visit) renewSeal(sync *v1alpha1.SmileAccountSync, target output.Target) bool {
	stored := v.opened[target]
	if v.userID() == "" {
		return false
	}
	set := v.formerSet(target)
	var held []holding
	for _, account := range set.Accounts() {
		if entry, ok := entryFor(sync, account.ID); ok {
			held = append(held, holding{facts: factsOf(entry)})
		}
	}
	text := v.sealOf(sync, target, set, held, sync.Status.Accounts)
	if text == stored.Seal() {
		return false
	}
	stored.SetSeal(text)
	return true
}

// recallRevokes has the status say which revokes Smile has acknowledged, as the seal does: the process may have ended before
// it said so, an older operator or a restore may have brought back a status that does not. An account that was connected
// again since, or that the status saw end without a revoke, is another matter.
func (v *visit) recallRevokes(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	target, _ := targetOf(sync)
	facts, _ := v.unseal(sync, target, v.formerSet(target))
	for i := range sync.Status.Accounts {
		entry := &sync.Status.Accounts[i]
		at := facts[entry.ID].RevokeAcknowledgedAt
		if at.IsZero() || !isKept(*entry) || entry.RevokeAcknowledgedAt != nil {
			continue
		}
		if entry.ReleasedAt == nil {
			erasedBefore, err := v.Ledger.Contains(ctx, entry.ID)
			if err != nil {
				return err
			}
			if erasedBefore || !connected(*entry) || entry.ConnectedAt == nil || entry.ConnectedAt.After(at) {
				continue
			}
			entry.ReleasedAt = &metav1.Time{Time: at}
		}
		entry.RevokeAcknowledgedAt = &metav1.Time{Time: at}
	}
	return nil
}
