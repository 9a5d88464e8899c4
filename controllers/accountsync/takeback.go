package accountsync

import (
	"cmp"
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// stray is data of an account in an output, or an account that its seal remembers, that is not in the status.
type stray struct {
	// data in the output; without items if the seal only remembers the account. Its ID is "" if the output cannot be read.
	data   output.Account
	facts  output.AccountFacts
	sealed bool
}

// isUndecided reports whether the output holds strays that a decision is still needed about.
func (s *scope) isUndecided(ctx context.Context, sync *v1alpha1.SmileAccountSync) (bool, error) {
	strays, err := s.strays(ctx, sync)
	return len(strays) > 0, err
}

// strays returns what the output holds and the status does not show.
func (s *scope) strays(ctx context.Context, sync *v1alpha1.SmileAccountSync) ([]stray, error) {
	target, wanted := targetOf(sync)
	if !wanted {
		return nil, nil
	}
	set, err := s.openSet(ctx, sync, target)
	if err != nil || set == nil {
		return nil, err
	}
	facts, sealed := s.unseal(sync, target, set)
	accounts := set.Accounts()
	var strays []stray
	for _, account := range accounts {
		if entry, _ := entryFor(sync, account.ID); !isKept(entry) {
			strays = append(strays, stray{account, facts[account.ID], sealed})
		}
	}
	strays = append(strays, forgotten(sync, facts)...)
	if len(accounts) == 0 && !sealed && !holds(sync, target) {
		strays = append(strays, stray{})
	}
	slices.SortFunc(strays, func(a, b stray) int { return cmp.Compare(a.data.ID, b.data.ID) })
	return strays, nil
}

// forgotten are the accounts that a seal remembers without data, and that the status does not show.
func forgotten(sync *v1alpha1.SmileAccountSync, facts map[string]output.AccountFacts) (strays []stray) {
	for id, one := range facts {
		entry, _ := entryFor(sync, id)
		if len(one.FetchedAt) == 0 && !isKept(entry) && entry.ErasedAt == nil && entry.DataAsOf == nil {
			strays = append(strays, stray{output.Account{ID: id, ProviderID: one.ProviderID}, one, true})
		}
	}
	return strays
}

// readBack decides about the strays, now that Smile has shown the accounts: they are added to the status, or erased. Until
// then they stay. If only a confirmed clock can decide about a stray, it delays no erasure of other data.
func (s *scope) readBack(ctx context.Context, run *run) error {
	strays, err := s.strays(ctx, run.Object)
	if err != nil || !s.undecided {
		return ignoreForeign(err)
	}
	s.undecided = false
	s.refused = erasures{}
	took := false
	for _, one := range strays {
		taken, err := s.decideAbout(ctx, run, one)
		if err != nil {
			return err
		}
		took = took || taken
	}
	s.restoreOutputStatus(run.Object)
	if !took {
		return nil
	}
	run.Event(corev1.EventTypeNormal, v1alpha1.ReasonDataTakenBack, "TakeBack",
		"the output holds data that was missing from the status: it was added to the status again, "+
			"because the output's seal proves its origin")
	s.observed(run.Object)
	return nil
}

// ignoreForeign drops the error about an object of another owner: the phase write reports it.
func ignoreForeign(err error) error {
	if isForeign(err) {
		return nil
	}
	return err
}

// entry is the entry of the account in the status, or else that of an account that is gone.
func (s stray) entry(sync *v1alpha1.SmileAccountSync) v1alpha1.SyncedAccount {
	if entry, ok := entryFor(sync, s.data.ID); ok {
		return entry
	}
	return v1alpha1.SyncedAccount{
		ID: s.data.ID, ProviderID: s.data.ProviderID, ConnectionStatus: string(smile.ConnectionDisconnected),
	}
}

// decideAbout adds one account to the status again, or refuses it, and reports whether data was added.
func (s *scope) decideAbout(ctx context.Context, run *run, one stray) (taken bool, err error) {
	sync, id := run.Object, one.data.ID
	entry := one.entry(sync)
	if one.sealed && len(one.facts.FetchedAt) == 0 {
		rememberErased(sync, id, one.facts, one.facts.ErasedAt)
		return false, nil
	}
	restored := takenBack(entry, one.facts, one.data)
	copied := copied{
		sealed: one.sealed, selected: selected(sync, entry), expired: expired(sync, restored, run.Now),
		acknowledged: !one.facts.RevokeAcknowledgedAt.IsZero() || entry.RevokeAcknowledgedAt != nil, retain: retains(sync),
	}
	if err := s.ask(ctx, id, &copied); err != nil {
		return false, err
	}
	verdict, err := s.verdictOn(ctx, sync, entry, copied)
	if err != nil {
		return false, err
	}
	switch verdict.what {
	case take:
		putEntry(sync, s.shownAs(restored, copied.shown))
		s.audit(run, id, auditlog.ActionTakenBack, verdict.reason, auditlog.OutcomeSucceeded)
		return true, nil
	case replace:
		return false, nil
	case wait:
		s.unjudged = append(s.unjudged, id)
		return false, nil
	default:
		return false, s.refuse(ctx, run, one, verdict)
	}
}

// verdictOn decides about a copy. No data counts as expired by a clock that Smile has not confirmed. A copy is not replaced by a
// fetch if Smile does not have the data.
func (s *scope) verdictOn(
	ctx context.Context, sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount, copied copied,
) (verdict, error) {
	found := decide(copied)
	if found.reason == auditlog.ReasonExpired && !s.skew(ctx, sync).Confirmed() {
		return verdict{what: wait}, nil
	}
	if found.what != replace || connected(entry) {
		return found, nil
	}
	var err error
	found.what, err = s.replaceable(ctx, sync, entry)
	return found, err
}

// refuse plans to erase a copy. If its ttl has passed, that is remembered: it is fetched again only if there is newer data.
func (s *scope) refuse(ctx context.Context, run *run, one stray, verdict verdict) error {
	if verdict.withdrawn {
		if err := s.recordWithdrawn(ctx, one.data.ID); err != nil {
			return err
		}
	}
	s.refused[one.data.ID] = cause{auditlog.ActionNotTakenBack, verdict.reason}
	if verdict.reason == auditlog.ReasonExpired {
		rememberErased(run.Object, one.data.ID, one.facts, run.Now)
	}
	return nil
}

// rememberErased records, in the entry of an account that is still linked, that the ttl of its data has passed.
func rememberErased(sync *v1alpha1.SmileAccountSync, id string, facts output.AccountFacts, at time.Time) {
	entry, ok := entryFor(sync, id)
	if !ok || disconnected(entry) {
		return
	}
	entry = knownData(entry, facts)
	entry.ErasedAt = &metav1.Time{Time: at}
	putEntry(sync, entry)
}

// ask completes the facts about a copy, from the ledger and from what Smile shows about the account. An account that is
// missing from the listing is read before anything is erased, because a listing may be incomplete. Accounts that no seal
// proves are not read, because there may be any number of them.
func (s *scope) ask(ctx context.Context, id string, c *copied) (err error) {
	i := slices.IndexFunc(s.listed, func(a smile.Account) bool { return a.ID == id && a.UserID == s.userID() })
	if i >= 0 {
		c.shown = s.listed[i].Connection.Status
	}
	if !c.sealed {
		return nil
	}
	if c.erasedBefore, err = s.r.Ledger.Contains(ctx, id); err != nil {
		return err
	}
	if i >= 0 {
		return s.mayRefuse(id, *c)
	}
	if !needsSmile(*c) {
		return nil
	}
	if err := s.mirror.MayErase(s.conn.Name, s.userID(), id); err != nil {
		return err
	}
	account, err := s.conn.Client.Account(ctx, id)
	if smile.IsNotFound(err) || err == nil && account.UserID != s.userID() {
		return nil
	}
	c.shown = account.Connection.Status
	return err
}

// mayRefuse reports why a copy of an account that Smile shows as disconnected must stay as it is; nil when it may be erased.
func (s *scope) mayRefuse(id string, c copied) error {
	if c.shown != smile.ConnectionDisconnected || !decide(c).withdrawn {
		return nil
	}
	return s.mirror.MayErase(s.conn.Name, s.userID(), id)
}

// shownAs sets the status in an entry to the one that Smile shows. The entry's account is missing from the listing.
func (s *scope) shownAs(entry v1alpha1.SyncedAccount, shown smile.ConnectionStatus) v1alpha1.SyncedAccount {
	if shown != "" && !slices.ContainsFunc(s.listed, func(a smile.Account) bool { return a.ID == entry.ID }) {
		entry.ConnectionStatus = string(shown)
	}
	return entry
}

// replaceable decides about a copy of an account in error: if Smile gathered its data before, Smile still has it, and the
// data is fetched again. Otherwise the copy is refused.
func (s *scope) replaceable(ctx context.Context, sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount) (fate, error) {
	found, err := s.mirror.Gathered(s.urgently(ctx), sync.UID, s.userID(), s.notBefore)
	tasks := found[entry.ID]
	if err != nil || tasks.Tasks == 0 {
		return refuse, err
	}
	entry.FinishedTasks, entry.DataAsOf = tasks.Tasks, &metav1.Time{Time: tasks.Last()}
	putEntry(sync, entry)
	return replace, nil
}

// restoreOutputStatus adds the output to a status that had lost it. The output counts as written if it holds exactly what
// the status says now, apart from what is still undecided.
func (s *scope) restoreOutputStatus(sync *v1alpha1.SmileAccountSync) {
	target, _ := targetOf(sync)
	set := s.formerSet(target)
	if sync.Status.Output == nil {
		parts := make([]output.Target, len(set))
		for i := range set {
			parts[i] = target.Part(i + 1)
		}
		sync.Status.Output = outputStatus(parts)
	}
	facts, sealed := s.unseal(sync, target, set)
	for _, id := range s.unjudged {
		delete(facts, id)
	}
	if sealed && holds(sync, target) && set.IsOwn() && agrees(sync.Status.Accounts, facts) {
		sync.Status.Output.Fingerprint = set.Fingerprint(s.r.Identity)
		s.broken = nil
	}
}

// agrees reports whether status and seal say the same about all accounts.
func agrees(entries []v1alpha1.SyncedAccount, facts map[string]output.AccountFacts) bool {
	kept := 0
	for _, entry := range entries {
		if !isKept(entry) {
			continue
		}
		if !sameFetch(entry, facts[entry.ID]) {
			return false
		}
		kept++
	}
	for _, one := range facts {
		if len(one.FetchedAt) > 0 {
			kept--
		}
	}
	return kept == 0
}

// putEntry replaces the entry of an account, or adds it.
func putEntry(sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount) {
	entries := slices.DeleteFunc(slices.Clone(sync.Status.Accounts), func(e v1alpha1.SyncedAccount) bool { return e.ID == entry.ID })
	sync.Status.Accounts = bounded(append(entries, entry))
}
