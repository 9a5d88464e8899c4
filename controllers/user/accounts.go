package user

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// countAccounts keeps the numbers of the person's accounts. It looks when the schedule says so, after a fresh link
// token, on request, and else takes what the mirror knows.
func (v *visit) countAccounts(ctx context.Context, p *pass) error {
	status := &p.Object.Status
	asked := p.Object.Annotations[v1alpha1.AnnotationRequestedAt]
	requested := asked != "" && asked != status.LastHandledRequest
	if v.connErr != nil && status.Accounts != nil && !requested {
		return nil
	}
	conn, known, err := v.connection()
	if err != nil {
		return err
	}
	due := v.due(p, conn.ResyncInterval)
	p.WakeAt(due.Next)
	if requested {
		due.Last = p.Now
	}
	accounts, ok := known.KnownAccounts(status.UserID)
	broken := meta.IsStatusConditionFalse(status.Conditions, v1alpha1.ConditionReady)
	if due.Last.After(v.Mirrors.Started()) || status.Accounts == nil || broken {
		accounts, err = known.Accounts(ctx, conn.Client, status.UserID, due.Last)
		ok = true
	}
	if smile.IsNotFound(err) {
		return mirror.ErrMissing
	}
	if err != nil {
		return err
	}
	if ok {
		status.Accounts = count(accounts)
	}
	status.LastHandledRequest = asked
	return nil
}

// due joins the regular looks with those that follow a fresh link token.
func (v *visit) due(p *pass, interval time.Duration) mirror.Due {
	due := mirror.Grid(p.Object.Status.UserID, interval, p.Now)
	if held := p.Object.Status.LinkToken; held != nil {
		due = due.Or(mirror.Looks(held.IssuedAt.Time, p.Now))
	}
	return due
}

// onlyThePerson are the errors that nobody but the person can mend.
var onlyThePerson = map[smile.AccountErrorCode]bool{
	"ACCOUNT_DISABLED": true, "ACCOUNT_INACCESSIBLE": true, "ACCOUNT_INCOMPLETE": true, "ACCOUNT_LOCKED": true,
	"AUTH_REQUIRED": true, "EXPIRED_CREDENTIALS": true, "INVALID_ACCOUNT_TYPE": true, "INVALID_CREDENTIALS": true,
	"INVALID_MFA": true, "MFA_TIMEOUT": true, "TOS_REQUIRED": true,
}

func count(accounts []smile.Account) *v1alpha1.AccountCounts {
	counts := &v1alpha1.AccountCounts{}
	for _, account := range accounts {
		switch account.Connection.Status {
		case smile.ConnectionDisconnected:
			continue
		case smile.ConnectionConnected:
			counts.Connected++
			if account.Monitor.Status == smile.MonitorUserActionRequired {
				counts.NeedsAction++
			}
		case smile.ConnectionAwaitingMFA:
			counts.NeedsAction++
		case smile.ConnectionError:
			if onlyThePerson[account.Connection.ErrorCode] {
				counts.NeedsAction++
			}
		}
		counts.Total++
	}
	return counts
}
