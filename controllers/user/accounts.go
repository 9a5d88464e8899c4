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
	if v.connErr != nil && status.Accounts != nil && !requested(p.Object) {
		return nil
	}
	conn, known, err := v.connection()
	if err != nil {
		return err
	}
	due := v.due(p, conn.ResyncInterval)
	p.WakeAt(due.Next)
	accounts, ok := known.KnownAccounts(status.UserID)
	if v.mustLook(p.Object, due) {
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
		// Even how many accounts a person has is not for whoever writes that person's id into a status.
		if err := v.Owners.Verify(ctx, conn, p.Object, status.UserID); err != nil {
			return err
		}
		status.Accounts = count(accounts)
	}
	status.LastHandledRequest = p.Object.Annotations[v1alpha1.AnnotationRequestedAt]
	return nil
}

// mustLook tells whether memory will not do: the schedule struck since this process started, there is nothing to go
// by, or the object is in trouble, which only a call can end.
func (v *visit) mustLook(user *v1alpha1.SmileUser, due mirror.Due) bool {
	return due.Last.After(v.Mirrors.Started()) || user.Status.Accounts == nil ||
		meta.IsStatusConditionFalse(user.Status.Conditions, v1alpha1.ConditionReady)
}

func requested(user *v1alpha1.SmileUser) bool {
	asked := user.Annotations[v1alpha1.AnnotationRequestedAt]
	return asked != "" && asked != user.Status.LastHandledRequest
}

// due joins the regular looks with those that follow a fresh link token, and one that is asked for now.
func (v *visit) due(p *pass, interval time.Duration) mirror.Due {
	due := mirror.Grid(p.Object.Status.UserID, interval, p.Now)
	if requested(p.Object) {
		due.Last = p.Now
	}
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
