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

// stray is what an output holds of an account, or what its seal remembers of one, although the status does not know it.
type stray struct {
	// data that the output holds; without items when the seal only remembers the account. Its ID is "" when the output
	// cannot be read.
	data   output.Account
	facts  output.AccountFacts
	sealed bool
}

// isUndecided reports whether it must be decided about something that the output holds.
func (v *visit) isUndecided(ctx context.Context, sync *v1alpha1.SmileAccountSync) (bool, error) {
	strays, err := v.strays(ctx, sync)
	return len(strays) > 0, err
}

// strays are what the output holds and the status does not know.
func (v *visit) strays(ctx context.Context, sync *v1alpha1.SmileAccountSync) ([]stray, error) {
	target, wanted := targetOf(sync)
	if !wanted {
		return nil, nil
	}
	set, err := v.openSet(ctx, sync, target)
	if err != nil || set == nil {
		return nil, err
	}
	facts, sealed := v.unseal(sync, target, set)
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

// forgotten are the accounts that a seal remembers without data, and the status does not know.
func forgotten(sync *v1alpha1.SmileAccountSync, facts map[string]output.AccountFacts) (strays []stray) {
	for id, one := range facts {
		entry, _ := entryFor(sync, id)
		if len(one.FetchedAt) == 0 && !isKept(entry) && entry.ErasedAt == nil && entry.DataAsOf == nil {
			strays = append(strays, stray{output.Account{ID: id, ProviderID: one.ProviderID}, one, true})
		}
	}
	return strays
}

// readBack decides about what the output holds and the status does not know, now that Smile has shown the accounts: it
// comes into the status, or goes. Until then it stays as it is. What only a confirmed clock can decide holds up no erasure.
func (v *visit) readBack(ctx context.Context, p *pass) error {
	strays, err := v.strays(ctx, p.Object)
	if err != nil || !v.undecided {
		return ignoreForeign(err)
	}
	v.undecided = false
	v.refused = erasures{}
	took := false
	for _, one := range strays {
		taken, err := v.decideAbout(ctx, p, one)
		if err != nil {
			return err
		}
		took = took || taken
	}
	v.knowOutput(p.Object)
	if !took {
		return nil
	}
	p.Event(corev1.EventTypeNormal, v1alpha1.ReasonDataTakenBack, "TakeBack",
		"the status did not know data that the output holds: it was taken back, as the output's seal proves what it is")
	p.Object.Status.ConnectedAccounts = int32(len(namesOf(p.Object.Status.Accounts, connected)))
	v.summarise(p)
	return nil
}

// ignoreForeign leaves it to the phase that writes to say that an object is somebody else's.
func ignoreForeign(err error) error {
	if isForeign(err) {
		return nil
	}
	return err
}

// entry is that of the account in the status, or the one of an account that is gone.
func (s stray) entry(sync *v1alpha1.SmileAccountSync) v1alpha1.SyncedAccount {
	if entry, known := entryFor(sync, s.data.ID); known {
		return entry
	}
	return v1alpha1.SyncedAccount{
		ID: s.data.ID, ProviderID: s.data.ProviderID, ConnectionStatus: string(smile.ConnectionDisconnected),
	}
}

// decideAbout takes one account back into the status, or refuses it, and reports whether data came back.
func (v *visit) decideAbout(ctx context.Context, p *pass, one stray) (taken bool, err error) {
	sync, id := p.Object, one.data.ID
	entry := one.entry(sync)
	if one.sealed && len(one.facts.FetchedAt) == 0 {
		rememberErased(sync, id, one.facts, one.facts.ErasedAt)
		return false, nil
	}
	restored := takenBack(entry, one.facts, one.data)
	copied := copied{
		sealed: one.sealed, selected: selected(sync, entry), expired: expired(sync, restored, p.Now),
		acknowledged: !one.facts.RevokeAcknowledgedAt.IsZero() || entry.RevokeAcknowledgedAt != nil, retain: retains(sync),
	}
	if err := v.ask(ctx, id, &copied); err != nil {
		return false, err
	}
	verdict, err := v.verdictOn(ctx, sync, entry, copied)
	if err != nil {
		return false, err
	}
	switch verdict.what {
	case take:
		putEntry(sync, v.shownAs(restored, copied.shown))
		v.audit(p, id, auditlog.ActionTakenBack, verdict.reason, auditlog.OutcomeSucceeded)
		return true, nil
	case replace:
		return false, nil
	case wait:
		v.unjudged = append(v.unjudged, id)
		return false, nil
	default:
		return false, v.refuse(ctx, p, one, verdict)
	}
}

// verdictOn decides about a copy. No data counts as expired by a clock that Smile has not confirmed, and none is left to be fetched
// again that Smile does not have.
func (v *visit) verdictOn(
	ctx context.Context, sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount, copied copied,
) (verdict, error) {
	found := decide(copied)
	if found.reason == auditlog.ReasonExpired && !v.skew(ctx, sync).Confirmed() {
		return verdict{what: wait}, nil
	}
	if found.what != replace || connected(entry) {
		return found, nil
	}
	var err error
	found.what, err = v.replaceable(ctx, sync, entry)
	return found, err
}

// refuse notes that a copy is to be erased. What a ttl has ended is remembered, so that it is not fetched again without news.
func (v *visit) refuse(ctx context.Context, p *pass, one stray, verdict verdict) error {
	if verdict.withdrawn {
		if err := v.recordWithdrawn(ctx, one.data.ID); err != nil {
			return err
		}
	}
	v.refused[one.data.ID] = cause{auditlog.ActionNotTakenBack, verdict.reason}
	if verdict.reason == auditlog.ReasonExpired {
		rememberErased(p.Object, one.data.ID, one.facts, p.Now)
	}
	return nil
}

// rememberErased notes in the entry of an account that is still linked that a ttl has ended its data.
func rememberErased(sync *v1alpha1.SmileAccountSync, id string, facts output.AccountFacts, at time.Time) {
	entry, known := entryFor(sync, id)
	if !known || disconnected(entry) {
		return
	}
	entry = knownData(entry, facts)
	entry.ErasedAt = &metav1.Time{Time: at}
	putEntry(sync, entry)
}

// ask completes what is known of a copy: by the ledger, and by what Smile shows of the account. One that the listing does
// not show is asked about before anything is erased, as a listing may come out short; not one that no seal proves, of which
// there may be any number.
func (v *visit) ask(ctx context.Context, id string, c *copied) (err error) {
	i := slices.IndexFunc(v.listed, func(a smile.Account) bool { return a.ID == id && a.UserID == v.userID() })
	if i >= 0 {
		c.shown = v.listed[i].Connection.Status
	}
	if !c.sealed {
		return nil
	}
	if c.erasedBefore, err = v.Ledger.Contains(ctx, id); err != nil {
		return err
	}
	if i >= 0 {
		return v.mayRefuse(id, *c)
	}
	if !needsSmile(*c) {
		return nil
	}
	if err := v.known.MayErase(v.conn.Name, v.userID(), id); err != nil {
		return err
	}
	account, err := v.conn.Client.Account(ctx, id)
	if smile.IsNotFound(err) || err == nil && account.UserID != v.userID() {
		return nil
	}
	c.shown = account.Connection.Status
	return err
}

// mayRefuse reports why a copy of an account that Smile shows as disconnected must stay as it is; nil when it may be erased.
func (v *visit) mayRefuse(id string, c copied) error {
	if c.shown != smile.ConnectionDisconnected || !decide(c).withdrawn {
		return nil
	}
	return v.known.MayErase(v.conn.Name, v.userID(), id)
}

// shownAs gives an entry that no listing has brought the status that Smile shows.
func (v *visit) shownAs(entry v1alpha1.SyncedAccount, shown smile.ConnectionStatus) v1alpha1.SyncedAccount {
	if shown != "" && !slices.ContainsFunc(v.listed, func(a smile.Account) bool { return a.ID == entry.ID }) {
		entry.ConnectionStatus = string(shown)
	}
	return entry
}

// replaceable notes whether Smile had gathered data of an account before it got into trouble: then it still has it. Else the
// copy is refused.
func (v *visit) replaceable(ctx context.Context, sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount) (fate, error) {
	found, err := v.known.Gathered(v.urgently(ctx), sync.UID, v.userID(), v.notBefore)
	tasks := found[entry.ID]
	if err != nil || tasks.Tasks == 0 {
		return refuse, err
	}
	entry.FinishedTasks, entry.DataAsOf = tasks.Tasks, &metav1.Time{Time: tasks.Last()}
	putEntry(sync, entry)
	return replace, nil
}

// knowOutput has the status know the output that it had lost. It is as it was written if it holds exactly what the status
// says now, but for what is still undecided.
func (v *visit) knowOutput(sync *v1alpha1.SmileAccountSync) {
	target, _ := targetOf(sync)
	set := v.formerSet(target)
	if sync.Status.Output == nil {
		parts := make([]output.Target, len(set))
		for i := range set {
			parts[i] = target.Part(i + 1)
		}
		sync.Status.Output = outputStatus(parts)
	}
	facts, sealed := v.unseal(sync, target, set)
	for _, id := range v.unjudged {
		delete(facts, id)
	}
	if sealed && holds(sync, target) && set.IsOwn() && agrees(sync.Status.Accounts, facts) {
		sync.Status.Output.Fingerprint = set.Fingerprint(v.Identity)
		v.broken = nil
	}
}

// agrees reports whether the status says of all accounts just what a seal does.
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
