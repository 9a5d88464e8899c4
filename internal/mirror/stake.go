package mirror

import (
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// staked is an account whose data would be erased if it disappeared.
type staked struct {
	id string
	// until is when Smile ends the account by itself; 0 if it is not known.
	until second
}

// AtStake reports whether data of an account would be erased if the account were found to be disconnected: there is data, the
// spec does not retain it, and the operator did not revoke the account itself.
func AtStake(sync *v1alpha1.SmileAccountSync, account v1alpha1.SyncedAccount) bool {
	retained := sync.Spec.Retention != nil && sync.Spec.Retention.OnDisconnect == v1alpha1.DisconnectRetain
	return len(account.Datapoints) > 0 && account.ReleasedAt == nil && !retained &&
		account.ConnectionStatus != string(smile.ConnectionDisconnected)
}

// endsBy is when Smile ends an account by itself, because it keeps data for a limited time; zero if that is not known,
// or never happens because the account is monitored.
func endsBy(account v1alpha1.SyncedAccount) time.Time {
	if account.AvailableUntil == nil || account.MonitorStatus == string(smile.MonitorActive) {
		return time.Time{}
	}
	return account.AvailableUntil.Time
}

// Ended reports whether Smile has ended an account by itself at a time: that is expected, and holds nothing. At the zero time
// none has ended.
func Ended(account v1alpha1.SyncedAccount, now time.Time) bool { return isOver(endsBy(account), now) }

func isOver(until, now time.Time) bool { return !until.IsZero() && !until.After(now) }

// atStake are the accounts at stake, by user, when their accounts are read.
type atStake struct {
	accounts map[string][]staked
	// confirmed is the present time, if Smile's clock confirms it; at the zero time no account has ended by itself.
	confirmed time.Time
}

// except returns those of a user that no later read has shown.
func (s atStake) except(userID string, later func(accountID string) bool) atStake {
	rest := slices.DeleteFunc(slices.Clone(s.accounts[userID]), func(one staked) bool { return later(one.id) })
	return atStake{map[string][]staked{userID: rest}, s.confirmed}
}
