package accountsync

import (
	"cmp"
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/output"
)

// The seal stores on the output what the status says about it. So a status that was lost can be restored.

// userID is the id of the remote user; "" while it is not known.
func (s *scope) userID() string {
	if s.user == nil {
		return ""
	}
	return s.user.Status.UserID
}

// unseal returns the facts of an output's seal by account. It reports false unless the seal was made for this output and
// user. While the user is not known, a seal for any user counts.
func (s *scope) unseal(
	sync *v1alpha1.SmileAccountSync, target output.Target, set output.Set,
) (map[string]output.AccountFacts, bool) {
	facts, ok := set.Own().Unseal(s.r.Identity, sync.Namespace, target, s.opened[target].Seal())
	if !ok || s.userID() != "" && s.userID() != facts.UserID {
		return nil, false
	}
	accounts := map[string]output.AccountFacts{}
	for _, account := range facts.Accounts {
		accounts[account.ID] = account
	}
	return accounts, true
}

// sealOf is the seal of an output that is about to hold some data. While the user is not known, it is for the user of the
// former seal; "" if that seal proves nothing.
func (s *scope) sealOf(
	sync *v1alpha1.SmileAccountSync, target output.Target, set output.Set, held []holding, entries []v1alpha1.SyncedAccount,
) string {
	facts := output.Facts{UserID: s.userID()}
	if facts.UserID == "" {
		former, _ := s.formerSet(target).Own().Unseal(s.r.Identity, sync.Namespace, target, s.opened[target].Seal())
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
	return set.Seal(s.r.Identity, sync.Namespace, target, facts)
}

// formerSet is the output as it was opened.
func (s *scope) formerSet(target output.Target) output.Set {
	var set output.Set
	for n, parts := 1, 1; n <= parts; n++ {
		content := s.opened[target.Part(n)].Content()
		if n == 1 {
			parts = output.PartsOf(content)
		}
		set = append(set, content)
	}
	return set
}

// reseal updates the seal of an output that is as it was written. It makes no call to Smile, and changes only the annotation.
func (s *scope) reseal(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	target, _ := targetOf(sync)
	stored := s.opened[target]
	if stored.Content() == nil || !s.renewSeal(sync, target) {
		return nil
	}
	_, err := s.r.Outputs.Write(ctx, sync, stored, stored.Content(), s.r.templateOf(sync))
	return err
}

// renewSeal prepares the seal for the present status, and reports whether it differs from the seal of the output.
func (s *scope) renewSeal(sync *v1alpha1.SmileAccountSync, target output.Target) bool {
	stored := s.opened[target]
	if s.userID() == "" {
		return false
	}
	set := s.formerSet(target)
	var held []holding
	for _, account := range set.Accounts() {
		if entry, ok := entryFor(sync, account.ID); ok {
			held = append(held, holding{facts: factsOf(entry)})
		}
	}
	text := s.sealOf(sync, target, set, held, sync.Status.Accounts)
	if text == stored.Seal() {
		return false
	}
	stored.SetSeal(text)
	return true
}

// recallRevokes adds to the status which revokes Smile has acknowledged according to the seal. The process may have ended
// before it stored that, or an older operator or a restore brought back an older status. It leaves out an account that was
// connected again since, and one that ended without a revoke according to the status.
func (s *scope) recallRevokes(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	target, _ := targetOf(sync)
	facts, _ := s.unseal(sync, target, s.formerSet(target))
	for i := range sync.Status.Accounts {
		entry := &sync.Status.Accounts[i]
		at := facts[entry.ID].RevokeAcknowledgedAt
		if at.IsZero() || !isKept(*entry) || entry.RevokeAcknowledgedAt != nil {
			continue
		}
		if entry.ReleasedAt == nil {
			erasedBefore, err := s.r.Ledger.Contains(ctx, entry.ID)
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
