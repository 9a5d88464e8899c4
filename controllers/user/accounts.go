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

const (
	// maxReaders is how many reconciles at once may wait for a call that reads accounts. The mirror reads the rest together in
	// its next poll, so that new users find a worker however many refreshes are due.
	maxReaders = concurrency / 4
	// pollTimeout is how long a reconcile that left a read to the mirror waits for it. Then it tries to read by itself.
	pollTimeout = 30 * time.Second
)

// countAccounts keeps the numbers of the person's accounts, from the mirror. It makes a call only if an annotation or a hint
// from Smile requests a refresh. What is due for other reasons is read by the mirror's polls.
func (s *scope) countAccounts(ctx context.Context, run *run) error {
	status := &run.Object.Status
	if !s.remote.Usable() && status.Accounts != nil && !requested(run.Object) {
		return nil
	}
	conn, view, err := s.remote.Use()
	if err != nil {
		return err
	}
	s.scheduleRefreshes(run, view)
	due, err := s.refreshesDue(ctx, run, view, conn.ResyncInterval)
	if err != nil {
		return err
	}
	if due.needCall(view, status.UserID) {
		defer s.r.readers.Add(-1)
		if s.r.readers.Add(1) > maxReaders || !conn.TurnIsNear(smile.WithLane(ctx, smile.LaneHint)) {
			view.RequestRefresh(status.UserID) // the object is requeued after the poll
			run.WakeAfter(engine.Jitter(pollTimeout))
			return nil
		}
	}
	if err := refreshHinted(ctx, run, view, due.hinted); err != nil {
		return err
	}
	return s.storeAccounts(ctx, run, conn, view, due.since)
}

// refreshes are the reads of accounts that a reconcile must not leave to the mirror's polls.
type refreshes struct {
	// since is the time that all accounts must have been read after; zero if the cached accounts suffice.
	since time.Time
	// hinted are accounts that must be read one by one.
	hinted []mirror.HintedAccount
}

// needCall reports whether a refresh requires a call.
func (d refreshes) needCall(view *mirror.Mirror, userID string) bool {
	return len(d.hinted) > 0 || !d.since.IsZero() && (!view.AccountsReadSince(userID, d.since) || !view.Proven(userID))
}

// refreshesDue returns the refreshes that an annotation or hints request.
func (s *scope) refreshesDue(ctx context.Context, run *run, view *mirror.Mirror, interval time.Duration) (refreshes, error) {
	hint := s.r.Mirrors.Hint(run.Object, interval)
	run.WakeAt(hint.Next)
	due := refreshes{since: hint.Last}
	if requested(run.Object) {
		if since := s.r.refreshes.since(run.Object, run.Now); since.After(due.since) {
			due.since = since
		}
	}
	var err error
	due.hinted, err = s.hintedToRead(ctx, run.Object, view, hint.Accounts)
	return due, err
}

// scheduleRefreshes requests refreshes at growing distances after a new link token, until the token is old. So data arrives
// without webhooks too.
func (s *scope) scheduleRefreshes(run *run, view *mirror.Mirror) {
	held := run.Object.Status.LinkToken
	if held == nil {
		return
	}
	due := schedule.AfterActivity(held.IssuedAt.Time, run.Now)
	run.WakeAt(due.Next)
	if due.Last.After(s.r.Mirrors.Started()) {
		view.RequestRefreshSince(run.Object.Status.UserID, due.Last)
	}
}

// storeAccounts stores the numbers of the accounts as they were at a time or later.
func (s *scope) storeAccounts(
	ctx context.Context, run *run, conn *connection.Connection, view *mirror.Mirror, since time.Time,
) error {
	status := &run.Object.Status
	accounts, read, err := accountsSince(ctx, run, view, since)
	if err != nil {
		return err
	}
	if read || view.Doubted(status.UserID) {
		// The status may name another person's user. Not even the number of that user's accounts may be shown then.
		if err := s.r.Owners.Verify(ctx, conn, run.Object, status.UserID); err != nil {
			return err
		}
	}
	if read {
		status.Accounts = count(accounts)
	} else if status.Accounts == nil {
		view.RequestRefresh(status.UserID)
	}
	countDuplicates(run, view)
	status.LastHandledRequest = engine.Echo(run.Object, v1alpha1.AnnotationRequestedAt)
	s.r.refreshes.forget(client.ObjectKeyFromObject(run.Object))
	return nil
}

// accountsSince returns the accounts as they were at a time or later, which may take a call. Without a time it returns the
// cached accounts; read is false if there are none.
func accountsSince(
	ctx context.Context, run *run, view *mirror.Mirror, since time.Time,
) (accounts []smile.Account, read bool, err error) {
	userID := run.Object.Status.UserID
	if since.IsZero() {
		accounts, read = view.CachedAccounts(userID)
		return accounts, read, nil
	}
	accounts, err = view.Accounts(smile.WithLane(ctx, smile.LaneHint), run.Object.UID, userID, since)
	if smile.IsNotFound(err) {
		err = ownership.ErrMissing
	}
	return accounts, true, err
}

// countDuplicates records how many more users at Smile were created for the object. The object keeps the user that it has.
func countDuplicates(run *run, view *mirror.Mirror) {
	status := &run.Object.Status
	duplicates := int32(view.Duplicates(run.Object.UID, status.UserID))
	if duplicates > status.Duplicates {
		duplicateUsers.Add(float64(duplicates - status.Duplicates))
		run.Event(corev1.EventTypeWarning, v1alpha1.ReasonDuplicateRemoteUser, "Provision",
			"Smile has more than one user for this person: the one with accounts is used, else the oldest; the others cannot be deleted")
	}
	status.Duplicates = max(status.Duplicates, duplicates)
}

// isNews reports whether the mirror holds something about a user that the status does not show, or may have carried out a
// requested refresh.
func (r *Reconciler) isNews(user *v1alpha1.SmileUser) bool {
	held, ok := r.Mirrors.Lookup(user)
	if !ok {
		return true
	}
	accounts, ok := held.CachedAccounts(user.Status.UserID)
	return !ok || requested(user) || user.Status.Accounts == nil || *count(accounts) != *user.Status.Accounts ||
		held.Doubted(user.Status.UserID) || held.Duplicates(user.UID, user.Status.UserID) > int(user.Status.Duplicates)
}

// requested reports whether an annotation requests a refresh that was not carried out yet.
func requested(user *v1alpha1.SmileUser) bool {
	return engine.Requested(user, user.Status.LastHandledRequest)
}

// personOnly are the errors of an account that only the end user can fix.
var personOnly = map[smile.AccountErrorCode]bool{
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
			if personOnly[account.Connection.ErrorCode] {
				counts.NeedsAction++
			}
		}
		counts.Total++
	}
	return counts
}
