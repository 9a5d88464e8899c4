package accountsync

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// The life of an account, as pure functions of the status.

const (
	// availability is how long Smile keeps data after an account was linked, according to its guide.
	availability = 60 * 24 * time.Hour
	// promise is the longest time that Smile takes to gather the data of a connected account, according to its guide.
	promise = 5 * time.Minute
	// maxAccounts is how many accounts the status holds.
	maxAccounts = 100
)

func connected(account v1alpha1.SyncedAccount) bool {
	return account.ConnectionStatus == string(smile.ConnectionConnected)
}

func disconnected(account v1alpha1.SyncedAccount) bool {
	return account.ConnectionStatus == string(smile.ConnectionDisconnected)
}

// hasData reports whether Smile has gathered data of an account and still has it. An account in error keeps the data that was
// gathered before; an account that is disconnected does not.
func hasData(account v1alpha1.SyncedAccount) bool {
	return account.FinishedTasks > 0 && !disconnected(account)
}

// isKept reports whether data of an account is in the output. Without an output, it reports whether data was fetched.
func isKept(account v1alpha1.SyncedAccount) bool { return len(account.Datapoints) > 0 }

func selected(sync *v1alpha1.SmileAccountSync, account v1alpha1.SyncedAccount) bool {
	return among(sync.Spec.Providers, account.ProviderID) && among(sync.Spec.AccountIDs, account.ID)
}

func namesOf(accounts []v1alpha1.SyncedAccount, which func(v1alpha1.SyncedAccount) bool) []string {
	var ids []string
	for _, account := range accounts {
		if which(account) {
			ids = append(ids, account.ID)
		}
	}
	return ids
}

// expiresAt is when the ttl of an account's data is over; zero if it has none. Data cannot have been fetched before Smile
// gathered it, whatever the local clock showed.
func expiresAt(sync *v1alpha1.SmileAccountSync, account v1alpha1.SyncedAccount) time.Time {
	retention := sync.Spec.Retention
	if !isKept(account) || retention == nil || retention.TTL == nil {
		return time.Time{}
	}
	var last time.Time
	if fetched := lastFetchedAt([]v1alpha1.SyncedAccount{account}); fetched != nil {
		last = fetched.Time
	}
	if gathered := account.DataAsOf; gathered != nil && gathered.After(last) {
		last = gathered.Time
	}
	return last.Add(retention.TTL.Duration)
}

// lastFetchedAt is when data of accounts was last fetched; nil if there is none.
func lastFetchedAt(accounts []v1alpha1.SyncedAccount) (last *metav1.Time) {
	for i := range accounts {
		for _, datapoint := range accounts[i].Datapoints {
			if last == nil || last.Before(&datapoint.FetchedAt) {
				last = &datapoint.FetchedAt
			}
		}
	}
	return last
}

func expired(sync *v1alpha1.SmileAccountSync, account v1alpha1.SyncedAccount, now time.Time) bool {
	at := expiresAt(sync, account)
	return !at.IsZero() && !at.After(now)
}

func retains(sync *v1alpha1.SmileAccountSync) bool {
	return sync.Spec.Retention != nil && sync.Spec.Retention.OnDisconnect == v1alpha1.DisconnectRetain
}

// mustErase is why the data of an account must be erased; "" if it may be kept. A disconnection that the operator caused
// withdraws no consent.
func mustErase(sync *v1alpha1.SmileAccountSync, account v1alpha1.SyncedAccount, now time.Time) auditlog.Reason {
	switch {
	case !isKept(account):
		return ""
	case disconnected(account) && account.ReleasedAt == nil && !retains(sync):
		return auditlog.ReasonWithdrawn
	case expired(sync, account, now):
		return auditlog.ReasonExpired
	case !selected(sync, account):
		return auditlog.ReasonNotSelected
	default:
		return ""
	}
}

// isLost reports whether data of an account is lost, and may be kept if it is restored.
func isLost(sync *v1alpha1.SmileAccountSync, account v1alpha1.SyncedAccount, now time.Time) bool {
	if _, wanted := targetOf(sync); !wanted || account.LostAt == nil || isKept(account) || !selected(sync, account) {
		return false
	}
	retention := sync.Spec.Retention
	return retention == nil || retention.TTL == nil || account.LostAt.Add(retention.TTL.Duration).After(now)
}

// erased is the entry of an account whose data was erased. If its ttl has passed, the entry remembers which data it was,
// which is fetched again only when there is newer data.
func erased(account v1alpha1.SyncedAccount, now time.Time) v1alpha1.SyncedAccount {
	account.Datapoints, account.ErasedAt = nil, &metav1.Time{Time: now}
	if disconnected(account) {
		account.FinishedTasks, account.DataAsOf = 0, nil
	}
	return account
}

// setAccounts updates the status from the accounts that Smile shows.
func setAccounts(sync *v1alpha1.SmileAccountSync, accounts []smile.Account) {
	sync.Status.Accounts = entriesOf(sync, accounts)
	sync.Status.ConnectedAccounts = int32(len(namesOf(sync.Status.Accounts, connected)))
}

// entriesOf are the entries that the status has once Smile has shown these accounts. An account that is gone and had data
// stays as a disconnected account: its data is erased, and the status shows when.
func entriesOf(sync *v1alpha1.SmileAccountSync, accounts []smile.Account) []v1alpha1.SyncedAccount {
	before := sync.Status.Accounts
	entries := make([]v1alpha1.SyncedAccount, 0, len(accounts))
	for _, account := range accounts {
		entries = append(entries, entryOf(before, account))
	}
	for _, entry := range before {
		seen := slices.ContainsFunc(entries, func(e v1alpha1.SyncedAccount) bool { return e.ID == entry.ID })
		if seen || !selected(sync, entry) || neverHeld(entry) {
			continue
		}
		entry.ConnectionStatus, entry.ErrorCode, entry.MonitorStatus = string(smile.ConnectionDisconnected), "", ""
		entry.ConnectedAt = nil
		entries = append(entries, entry)
	}
	return bounded(entries)
}

// neverHeld reports whether no data of an account was ever kept. Then there is nothing to remember.
func neverHeld(account v1alpha1.SyncedAccount) bool {
	return !isKept(account) && account.ErasedAt == nil && account.ReleasedAt == nil
}

// bounded drops entries for which a status has no room: first disconnected accounts without data, the oldest first.
func bounded(entries []v1alpha1.SyncedAccount) []v1alpha1.SyncedAccount {
	over := func(e v1alpha1.SyncedAccount) int {
		if disconnected(e) && !isKept(e) {
			return 1
		}
		return 0
	}
	since := func(e v1alpha1.SyncedAccount) int64 {
		if e.AvailableUntil == nil {
			return 0
		}
		return e.AvailableUntil.Unix()
	}
	slices.SortFunc(entries, func(a, b v1alpha1.SyncedAccount) int {
		return cmp.Or(cmp.Compare(over(a), over(b)), cmp.Compare(since(b), since(a)), cmp.Compare(a.ID, b.ID))
	})
	entries = entries[:min(len(entries), maxAccounts)]
	slices.SortFunc(entries, func(a, b v1alpha1.SyncedAccount) int { return cmp.Compare(a.ID, b.ID) })
	return entries
}

// entryOf is the entry of an account in the status: what Smile shows, and which data is kept. An account that is connected
// again is treated as new. One that was released is never connected again.
func entryOf(before []v1alpha1.SyncedAccount, account smile.Account) v1alpha1.SyncedAccount {
	entry := v1alpha1.SyncedAccount{
		ID:               account.ID,
		ProviderID:       account.ProviderID,
		ConnectionStatus: string(account.Connection.Status),
		ErrorCode:        string(account.Connection.ErrorCode),
		MonitorStatus:    string(account.Monitor.Status),
	}
	if !account.CreatedAt.IsZero() {
		entry.AvailableUntil = &metav1.Time{Time: account.CreatedAt.Add(availability)}
	}
	if connected(entry) && !account.Connection.UpdatedAt.IsZero() {
		entry.ConnectedAt = &metav1.Time{Time: account.Connection.UpdatedAt}
	}
	i := slices.IndexFunc(before, func(b v1alpha1.SyncedAccount) bool { return b.ID == account.ID })
	if i < 0 {
		return entry
	}
	former := before[i]
	if disconnected(former) && former.ReleasedAt != nil {
		return former
	}
	entry.Datapoints = former.Datapoints
	if disconnected(entry) || !disconnected(former) {
		entry.DataAsOf, entry.FinishedTasks = former.DataAsOf, former.FinishedTasks
		entry.ErasedAt, entry.LostAt = former.ErasedAt, former.LostAt
		entry.ReleasedAt, entry.RevokeAcknowledgedAt = former.ReleasedAt, former.RevokeAcknowledgedAt
	}
	return entry
}

// connectedness is the value of AccountsConnected.
type connectedness struct {
	status          metav1.ConditionStatus
	reason, message string
}

func (c connectedness) outcome() engine.Outcome {
	if c.status == metav1.ConditionTrue {
		return engine.True(c.reason, c.message)
	}
	return engine.False(c.reason, c.message)
}

// troubles sorts the errors of accounts by who can fix them, as the vendor's guide does.
var troubles = map[smile.AccountErrorCode]connectedness{
	smile.AccountServiceUnavailable:   providerDown,
	smile.AccountInvalidAuth:          askSmile,
	smile.AccountSystemError:          askSmile,
	smile.AccountUnsupportedAuthType:  askSmile,
	smile.AccountUnsupportedMFAMethod: askSmile,
}

var (
	allConnected = connectedness{metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "the person has connected an account"}
	staleConsent = connectedness{
		metav1.ConditionTrue, v1alpha1.ReasonEndUserActionRequired,
		"an account is connected, but Smile can only keep its data current when the person logs in to it again",
	}
	mustAct = connectedness{
		metav1.ConditionFalse, v1alpha1.ReasonEndUserActionRequired,
		"an account is in an error that only the end user can fix: they must log in to it again",
	}
	providerDown = connectedness{
		metav1.ConditionFalse, v1alpha1.ReasonProviderUnavailable,
		"the provider of an account does not respond to Smile: the person can try again later",
	}
	askSmile = connectedness{
		metav1.ConditionFalse, v1alpha1.ReasonContactSmile,
		"an account is in an error that Smile must fix, or of a kind that Smile does not support: contact Smile's support",
	}
	loggingIn = connectedness{
		metav1.ConditionFalse, v1alpha1.ReasonAwaitingEndUser,
		"no account is connected: a login of the person is under way",
	}
	statusUnknown = connectedness{
		metav1.ConditionFalse, v1alpha1.ReasonAccountStatusUnknown,
		"an account has a status that this version of the operator does not know: the data that was fetched before is kept",
	}
	released = connectedness{
		metav1.ConditionFalse, v1alpha1.ReasonReleased,
		"the data was fetched and its accounts were revoked, as spec.revokeAfterFetch requires",
	}
	nobody = connectedness{
		metav1.ConditionFalse, v1alpha1.ReasonAwaitingEndUser,
		"no account is connected: the person has not linked one yet, or has disconnected it",
	}
)

// connectednessOf sums up the accounts. An account in error counts if no account is connected, or if its data is kept and is no
// longer updated. A failed login does not count if another login succeeded.
func connectednessOf(accounts []v1alpha1.SyncedAccount) connectedness {
	exists := func(which func(v1alpha1.SyncedAccount) bool) bool { return slices.ContainsFunc(accounts, which) }
	some := exists(connected)
	for _, account := range accounts {
		if account.ConnectionStatus == string(smile.ConnectionError) && (!some || isKept(account)) {
			return troubleOf(account)
		}
	}
	switch {
	case exists(needsLogin):
		return staleConsent
	case some:
		return allConnected
	case exists(isUnknown):
		return statusUnknown
	case exists(func(a v1alpha1.SyncedAccount) bool { return !disconnected(a) }):
		return loggingIn
	case exists(isReleased):
		return released
	default:
		return nobody
	}
}

// needsLogin reports whether an account is connected, but Smile can update its data only after the user logs in again.
func needsLogin(a v1alpha1.SyncedAccount) bool {
	return connected(a) && a.MonitorStatus == string(smile.MonitorUserActionRequired)
}

// isUnknown reports whether an account has a status that this version of the operator does not know.
func isUnknown(a v1alpha1.SyncedAccount) bool {
	switch smile.ConnectionStatus(a.ConnectionStatus) {
	case smile.ConnectionPending, smile.ConnectionAwaitingMFA, smile.ConnectionConnected, smile.ConnectionError,
		smile.ConnectionDisconnected:
		return false
	default:
		return true
	}
}

func isReleased(a v1alpha1.SyncedAccount) bool {
	return a.ReleasedAt != nil && (isKept(a) || a.LostAt != nil)
}

func troubleOf(account v1alpha1.SyncedAccount) connectedness {
	if trouble, ok := troubles[smile.AccountErrorCode(account.ErrorCode)]; ok {
		return trouble
	}
	return mustAct
}
