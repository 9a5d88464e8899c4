package accountsync

import (
	"cmp"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// An output may hold data of accounts that the status does not know: the status was lost, or the output was restored from
// a backup. What may be taken back into the status is decided here, as a pure function of what the seal proves and of what
// Smile shows now.

// copied is what is known of the data of one account in an output.
type copied struct {
	// sealed is true when a seal proves the copy: of this output, for this user.
	sealed bool
	// selected is true when the spec covers the account, and expired when its ttl has passed since the data was fetched.
	selected, expired bool
	// shown is the account's status at Smile; "" when Smile does not have the account.
	shown smile.ConnectionStatus
	// acknowledged is true when Smile acknowledged that the operator revoked the account.
	acknowledged bool
	// retain is true when the spec keeps data after a disconnection.
	retain bool
	// erasedBefore is true when the erasure ledger contains the account.
	erasedBefore bool
}

// verdict is what becomes of a copy.
type verdict struct {
	what   fate
	reason auditlog.Reason
	// withdrawn is true when the copy is refused because consent has ended, which the erasure ledger must record.
	withdrawn bool
}

type fate int

const (
	// refuse erases the copy.
	refuse fate = iota
	// take keeps the copy.
	take
	// replace fetches the data from Smile instead.
	replace
	// wait leaves the copy as it is until the clock is confirmed.
	wait
)

// gone reports whether Smile no longer shows the account as one that the person has linked.
func (c copied) gone() bool { return c.shown == "" || c.shown == smile.ConnectionDisconnected }

// rules are tried in order, and the first that applies decides. Withdrawn consent comes first: it is recorded even if the copy
// could not stay anyway. An account in error, or in the middle of a login, has not been withdrawn, but only one that is
// connected proves that consent was given again after an erasure.
var rules = []struct {
	applies func(copied) bool
	verdict verdict
}{
	{
		func(c copied) bool { return !c.sealed && c.selected && !c.gone() },
		verdict{what: replace, reason: auditlog.ReasonSealMismatch},
	},
	{func(c copied) bool { return !c.sealed }, verdict{reason: auditlog.ReasonSealMismatch}},
	{
		func(c copied) bool { return c.erasedBefore && c.shown != smile.ConnectionConnected },
		verdict{reason: auditlog.ReasonInErasureLedger},
	},
	{
		func(c copied) bool { return c.gone() && !c.acknowledged && !c.retain },
		verdict{reason: auditlog.ReasonNotConnected, withdrawn: true},
	},
	{func(c copied) bool { return !c.selected }, verdict{reason: auditlog.ReasonNotSelected}},
	{func(c copied) bool { return c.expired }, verdict{reason: auditlog.ReasonExpired}},
	{func(c copied) bool { return !c.gone() }, verdict{what: take, reason: auditlog.ReasonConnected}},
	{func(c copied) bool { return c.acknowledged }, verdict{what: take, reason: auditlog.ReasonReleased}},
}

// decide applies the rules. A copy to which none of them applies is retained.
func decide(c copied) verdict {
	for _, rule := range rules {
		if rule.applies(c) {
			return rule.verdict
		}
	}
	return verdict{what: take, reason: auditlog.ReasonRetained}
}

// needsSmile reports whether Smile's answer about an account that its listing does not show can change the verdict.
func needsSmile(c copied) bool {
	missing, present := c, c
	missing.shown, present.shown = "", smile.ConnectionConnected
	ifMissing, ifPresent := decide(missing), decide(present)
	return ifMissing.what != ifPresent.what || ifMissing.withdrawn != ifPresent.withdrawn
}

// factsOf is what the seal says of an account's entry in the status.
func factsOf(entry v1alpha1.SyncedAccount) output.AccountFacts {
	facts := output.AccountFacts{ID: entry.ID, ProviderID: entry.ProviderID, FinishedTasks: entry.FinishedTasks}
	for _, datapoint := range entry.Datapoints {
		if facts.FetchedAt == nil {
			facts.FetchedAt = map[v1alpha1.DatapointType]time.Time{}
		}
		facts.FetchedAt[datapoint.Type] = datapoint.FetchedAt.Time
	}
	if entry.DataAsOf != nil {
		facts.DataAsOf = entry.DataAsOf.Time
	}
	if entry.RevokeAcknowledgedAt != nil {
		facts.RevokeAcknowledgedAt = entry.RevokeAcknowledgedAt.Time
	}
	if entry.ErasedAt != nil {
		facts.ErasedAt = entry.ErasedAt.Time
	}
	return facts
}

// sameFetch reports whether an entry and the facts of a seal are of the same fetch.
func sameFetch(entry v1alpha1.SyncedAccount, facts output.AccountFacts) bool {
	return maps.EqualFunc(factsOf(entry).FetchedAt, facts.FetchedAt, func(a, b time.Time) bool { return a.Unix() == b.Unix() })
}

// remembered are the facts of accounts whose data was erased because of a ttl. It must not be fetched again until there is newer
// data.
func remembered(entries []v1alpha1.SyncedAccount) []output.AccountFacts {
	var facts []output.AccountFacts
	for _, entry := range entries {
		if !isKept(entry) && entry.ErasedAt != nil && entry.DataAsOf != nil && !disconnected(entry) {
			facts = append(facts, factsOf(entry))
		}
	}
	return facts
}

// takenBack is the entry of an account whose sealed copy is taken back. It has the fetch times of the seal, so that a copy does
// not restart a ttl.
func takenBack(entry v1alpha1.SyncedAccount, facts output.AccountFacts, data output.Account) v1alpha1.SyncedAccount {
	entry.Datapoints, entry.ErasedAt, entry.LostAt = nil, nil, nil
	for datapoint, at := range facts.FetchedAt {
		entry.Datapoints = append(entry.Datapoints, v1alpha1.DatapointStatus{
			Type: datapoint, Items: int32(len(data.Items[datapoint])), FetchedAt: metav1.NewTime(at),
		})
	}
	slices.SortFunc(entry.Datapoints, func(a, b v1alpha1.DatapointStatus) int { return cmp.Compare(a.Type, b.Type) })
	entry = knownData(entry, facts)
	if disconnected(entry) && !facts.RevokeAcknowledgedAt.IsZero() {
		acknowledged := metav1.NewTime(facts.RevokeAcknowledgedAt)
		entry.RevokeAcknowledgedAt = &acknowledged
		if entry.ReleasedAt == nil {
			entry.ReleasedAt = &acknowledged
		}
	}
	return entry
}

// knownData notes up to when the data of an account was known, so that it is fetched again only when Smile has newer data.
func knownData(entry v1alpha1.SyncedAccount, facts output.AccountFacts) v1alpha1.SyncedAccount {
	entry.FinishedTasks = facts.FinishedTasks
	if !facts.DataAsOf.IsZero() {
		entry.DataAsOf = &metav1.Time{Time: facts.DataAsOf}
	}
	return entry
}
