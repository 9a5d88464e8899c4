package user

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/schedule"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// countAccounts keeps the numbers of the person's accounts, from what the mirror knows. It calls only when somebody
// asks, or when Smile has hinted at a change; what is due for other reasons is read together with that of others.
func (v *visit) countAccounts(ctx context.Context, p *pass) error {
	status := &p.Object.Status
	if v.connErr != nil && status.Accounts != nil && !requested(p.Object) {
		return nil
	}
	conn, known, err := v.connection()
	if err != nil {
		return err
	}
	v.planLooks(p, known)
	at, hinted, err := v.callSince(ctx, p, known, conn.ResyncInterval)
	if err != nil {
		return err
	}
	if len(hinted) > 0 || v.mustCall(known, status.UserID, at) {
		defer v.looking.Add(-1)
		if v.looking.Add(1) > mostLooking || !conn.TurnIsNear(smile.WithLane(ctx, smile.LaneHint)) {
			known.RequestRefresh(status.UserID) // it wakes the object when it has read
			p.WakeAfter(engine.Jitter(withoutMirror))
			return nil
		}
	}
	if err := v.askHinted(ctx, p, known, hinted); err != nil {
		return err
	}
	return v.takeAccounts(ctx, p, conn, known, at)
}

// takeAccounts takes over accounts that are known, or read, as they were at a time or later.
func (v *visit) takeAccounts(ctx context.Context, p *pass, conn *connection.Connection, known *mirror.Mirror, at time.Time) error {
	status := &p.Object.Status
	accounts, ok, err := v.accounts(ctx, p, known, at)
	if err != nil {
		return err
	}
	if ok || known.Doubted(status.UserID) {
		// Even how many accounts a person has is not for whoever writes that person's id into a status.
		if err := v.Owners.Verify(ctx, conn, p.Object, status.UserID); err != nil {
			return err
		}
	}
	if ok {
		status.Accounts = count(accounts)
	} else if status.Accounts == nil {
		known.RequestRefresh(status.UserID)
	}
	v.countDuplicates(p, known)
	status.LastHandledRequest = engine.Echo(p.Object, v1alpha1.AnnotationRequestedAt)
	v.asks.forget(client.ObjectKeyFromObject(p.Object))
	return nil
}

const (
	// mostLooking is how many passes at once may wait for calls that look at accounts. However many people ask, or are
	// hinted at, at once: new users find a worker, and what more there is the mirror reads together.
	mostLooking = concurrency / 4
	// withoutMirror is when a pass that left a look to the mirror tries for itself again: the mirror may be in trouble.
	withoutMirror = 30 * time.Second
)

// mustCall reports whether showing the accounts as of a time or later, if any is given, requires a call.
func (v *visit) mustCall(known *mirror.Mirror, userID string, at time.Time) bool {
	return !at.IsZero() && (!known.AccountsReadSince(userID, at) || !known.Proven(userID))
}

// accounts gives what the mirror knows, or what Smile says where that may not be waited for; ok is false when nothing
// is known yet.
func (v *visit) accounts(
	ctx context.Context, p *pass, known *mirror.Mirror, at time.Time,
) (accounts []smile.Account, ok bool, err error) {
	userID := p.Object.Status.UserID
	if at.IsZero() {
		accounts, ok = known.CachedAccounts(userID)
		return accounts, ok, nil
	}
	accounts, err = known.Accounts(smile.WithLane(ctx, smile.LaneHint), p.Object.UID, userID, at)
	if smile.IsNotFound(err) {
		err = ownership.ErrMissing
	}
	return accounts, true, err
}

// planLooks has the person looked at again and again after a fresh link token, until it has been used or has become
// old: data flows without webhooks too.
func (v *visit) planLooks(p *pass, known *mirror.Mirror) {
	held := p.Object.Status.LinkToken
	if held == nil {
		return
	}
	looks := schedule.AfterActivity(held.IssuedAt.Time, p.Now)
	p.WakeAt(looks.Next)
	if looks.Last.After(v.Mirrors.Started()) {
		known.RequestRefreshSince(p.Object.Status.UserID, looks.Last)
	}
}

// callSince says how fresh the accounts must be that this pass may not wait for, zero when it takes what is known, and which
// single accounts must be asked about.
func (v *visit) callSince(
	ctx context.Context, p *pass, known *mirror.Mirror, interval time.Duration,
) (at time.Time, hinted []mirror.HintedAccount, err error) {
	hint := v.Mirrors.Hint(p.Object, interval)
	p.WakeAt(hint.Next)
	at = hint.Last
	if requested(p.Object) {
		if asked := v.asks.since(p.Object, p.Now); asked.After(at) {
			at = asked
		}
	}
	hinted, err = v.toAsk(ctx, p.Object, known, hint.Accounts)
	return at, hinted, err
}

// countDuplicates tells when Smile turns out to have several users that were created for the object. It keeps the one
// that it has.
func (v *visit) countDuplicates(p *pass, known *mirror.Mirror) {
	status := &p.Object.Status
	duplicates := int32(known.Duplicates(p.Object.UID, status.UserID))
	if duplicates > status.Duplicates {
		duplicateUsers.Add(float64(duplicates - status.Duplicates))
		p.Event(corev1.EventTypeWarning, v1alpha1.ReasonDuplicateRemoteUser, "Provision",
			"Smile has more than one user for this person: the one with accounts is used, else the oldest; the others can never be deleted")
	}
	status.Duplicates = max(status.Duplicates, duplicates)
}

// isNews tells whether the mirror knows something of a user that its status does not show, or may now have read what
// somebody asked for.
func (c *Controller) isNews(user *v1alpha1.SmileUser) bool {
	known, ok := c.Mirrors.Lookup(user)
	if !ok {
		return true
	}
	accounts, ok := known.CachedAccounts(user.Status.UserID)
	return !ok || requested(user) || user.Status.Accounts == nil || *count(accounts) != *user.Status.Accounts ||
		known.Doubted(user.Status.UserID) || known.Duplicates(user.UID, user.Status.UserID) > int(user.Status.Duplicates)
}

func requested(user *v1alpha1.SmileUser) bool {
	return engine.Requested(user, user.Status.LastHandledRequest)
}

// onlyThePerson are the errors that only the end user can fix.
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
