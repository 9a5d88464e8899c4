package accountsync

import (
	"cmp"
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/smile"
)

type pass = engine.Pass[*v1alpha1.SmileAccountSync]

// availability is how long Smile keeps data after an account was linked, says its guide.
const availability = 60 * 24 * time.Hour

// visit is what the phases of one pass hand on to each other.
type visit struct {
	*Controller

	user    *v1alpha1.SmileUser
	conn    *connection.Connection
	connErr error
	known   *mirror.Mirror

	// notBefore is how fresh what is read must be.
	notBefore time.Time
	// changed is true when the output must be made anew.
	changed bool
	// written is true when there is an output, or was.
	written bool
	// data of the accounts that are connected and gathered; complete once fetched.
	data []output.Account
	// trouble that does not keep what there is from being written.
	trouble *engine.Problem
}

var (
	errUserNotFound = engine.NewWaiting(v1alpha1.ReasonUserNotFound,
		"the SmileUser that spec.userRef names does not exist in this namespace")
	errUserNotReady = engine.NewWaiting(v1alpha1.ReasonUserNotReady,
		"the SmileUser has no user at Smile yet: its own conditions say why")
	errUserSuspended = engine.NewWaiting(v1alpha1.ReasonSuspended,
		"the SmileUser is suspended").On(v1alpha1.ConditionUserReady)
)

// findUser finds the person. A connection that is not ready stops only what needs one.
func (v *visit) findUser(ctx context.Context, p *pass) (err error) {
	v.user, err = v.userOf(ctx, p.Object)
	switch {
	case apierrors.IsNotFound(err):
		return errUserNotFound
	case err != nil:
		return err
	case v.user.Status.UserID == "":
		return errUserNotReady
	case v.user.Spec.Suspend:
		v.connErr = errUserSuspended
	default:
		v.conn, v.connErr = v.Connections.For(ctx, v.user.Namespace, v.user.Spec.ConnectionRef)
	}
	if v.connErr == nil {
		v.known = v.Mirrors.For(v.conn)
	}
	return nil
}

func requested(sync *v1alpha1.SmileAccountSync) bool {
	asked := sync.Annotations[v1alpha1.AnnotationRequestedAt]
	return asked != "" && asked != sync.Status.LastHandledRequest
}

// outdated tells whether the output is known to be of another spec, or of other data, than it should.
func outdated(sync *v1alpha1.SmileAccountSync) bool {
	unfinished := sync.Status.Output != nil && sync.Status.Output.Fingerprint == ""
	return unfinished || sync.Status.ObservedGeneration != sync.Generation
}

// lookAtAccounts keeps the list of the accounts that the sync covers.
func (v *visit) lookAtAccounts(ctx context.Context, p *pass) error {
	v.change(p.Object, outdated(p.Object) || requested(p.Object))
	if v.connErr != nil {
		if v.changed {
			return v.connErr
		}
		return engine.ErrRest
	}
	v.schedule(p)
	accounts, err := v.accounts(ctx)
	if err != nil {
		return err
	}
	if err := v.Owners.Verify(ctx, v.conn, v.user, v.user.Status.UserID); err != nil {
		return err
	}
	covered, err := v.confirmGone(ctx, p.Object, v.covered(p.Object, accounts))
	if err != nil {
		return err
	}
	v.setAccounts(p.Object, covered)
	if p.Object.Status.ConnectedAccounts == 0 {
		const waiting = "no account is connected: the person has not linked one yet, or has disconnected it"
		p.Set(metav1.ConditionFalse, v1alpha1.ReasonAwaitingEndUser, waiting)
		p.Ready(v1alpha1.ReasonAwaitingEndUser, waiting)
	}
	return nil
}

// schedule finds out how fresh what is read must be, and when to look again. What Smile has not been asked about is
// listed for everybody by the mirror, which wakes whom it concerns.
func (v *visit) schedule(p *pass) {
	if at := v.Mirrors.Hint(v.user.Status.HintedAt, v.conn.ResyncInterval); at.After(p.Now) {
		p.WakeAt(at)
	} else {
		v.notBefore = at
	}
	for _, account := range p.Object.Status.Accounts {
		if connected(account) && account.FinishedTasks == 0 && account.ConnectedAt != nil {
			looks := mirror.Looks(account.ConnectedAt.Time, p.Now)
			p.WakeAt(looks.Next)
			if looks.Last.After(v.Mirrors.Started()) && looks.Last.After(v.notBefore) {
				v.notBefore = looks.Last
			}
		}
	}
	if requested(p.Object) {
		v.notBefore = p.Now
	}
}

// accounts gives the accounts of the person, or ErrRest when none need be looked at.
func (v *visit) accounts(ctx context.Context) ([]smile.Account, error) {
	userID := v.user.Status.UserID
	if v.notBefore.IsZero() {
		if accounts, ok := v.known.KnownAccounts(userID); ok {
			return accounts, nil
		}
		if !v.changed {
			return nil, engine.ErrRest
		}
	}
	accounts, err := v.known.Accounts(ctx, v.conn.Client, userID, v.notBefore)
	if smile.IsNotFound(err) {
		return nil, mirror.ErrMissing
	}
	return accounts, err
}

// covered are the accounts that the spec selects. An account that is not the person's own is never among them,
// whatever anybody wrote and whatever Smile listed.
func (v *visit) covered(sync *v1alpha1.SmileAccountSync, accounts []smile.Account) []smile.Account {
	var covered []smile.Account
	for _, account := range accounts {
		own := account.UserID == v.user.Status.UserID
		if own && among(sync.Spec.Providers, account.ProviderID) && among(sync.Spec.AccountIDs, account.ID) {
			covered = append(covered, account)
		}
	}
	return covered
}

func among(selected []string, value string) bool {
	return len(selected) == 0 || slices.Contains(selected, value)
}

// confirmGone asks about each account that a listing no longer shows before its data may go: a listing that came
// out short is no reason to erase anything.
func (v *visit) confirmGone(ctx context.Context, sync *v1alpha1.SmileAccountSync, listed []smile.Account) ([]smile.Account, error) {
	for _, before := range sync.Status.Accounts {
		shown := slices.ContainsFunc(listed, func(a smile.Account) bool { return a.ID == before.ID })
		selected := among(sync.Spec.Providers, before.ProviderID) && among(sync.Spec.AccountIDs, before.ID)
		if shown || !selected {
			continue
		}
		if err := v.known.MayErase(v.user.Status.UserID, before.ID); err != nil {
			return nil, err
		}
		account, err := v.conn.Client.Account(ctx, before.ID)
		if smile.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		listed = append(listed, v.covered(sync, []smile.Account{account})...)
	}
	return listed, nil
}

// change notes that the output must be made anew, if so. The status forgets the fingerprint of the output until that is
// done, so that it will be done whatever becomes of this pass: what consent no longer covers must not stay because the
// pass that learned of it failed.
func (v *visit) change(sync *v1alpha1.SmileAccountSync, changed bool) {
	if !changed {
		return
	}
	v.changed = true
	if sync.Status.Output != nil {
		sync.Status.Output.Fingerprint = ""
	}
}

// setAccounts brings the status up to what was seen, and notes when that makes the output another.
func (v *visit) setAccounts(sync *v1alpha1.SmileAccountSync, accounts []smile.Account) {
	before, entries := sync.Status.Accounts, entriesOf(sync, accounts)
	v.change(sync, !slices.Equal(namesOf(before, hasData), namesOf(entries, hasData)))
	sync.Status.Accounts = entries
	sync.Status.ConnectedAccounts = int32(len(namesOf(entries, connected)))
}

// differs tells whether the status shows other accounts than these, or shows them otherwise.
func (v *visit) differs(sync *v1alpha1.SmileAccountSync, accounts []smile.Account) bool {
	return !equality.Semantic.DeepEqual(sync.Status.Accounts, entriesOf(sync, accounts))
}

func entriesOf(sync *v1alpha1.SmileAccountSync, accounts []smile.Account) []v1alpha1.SyncedAccount {
	entries := make([]v1alpha1.SyncedAccount, 0, len(accounts))
	for _, account := range accounts {
		entries = append(entries, entryOf(sync.Status.Accounts, account))
	}
	slices.SortFunc(entries, func(a, b v1alpha1.SyncedAccount) int { return cmp.Compare(a.ID, b.ID) })
	return entries
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

func connected(account v1alpha1.SyncedAccount) bool {
	return account.ConnectionStatus == string(smile.ConnectionConnected)
}

// hasData tells whether data of an account has been fetched and may be kept: an account in trouble keeps what was
// gathered before, one that is disconnected does not.
func hasData(account v1alpha1.SyncedAccount) bool {
	return account.FinishedTasks > 0 && account.ConnectionStatus != string(smile.ConnectionDisconnected)
}

// entryOf keeps what was fetched of an account until it is disconnected.
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
	if account.Connection.Status == smile.ConnectionDisconnected {
		return entry
	}
	if connected(entry) && !account.Connection.UpdatedAt.IsZero() {
		entry.ConnectedAt = &metav1.Time{Time: account.Connection.UpdatedAt}
	}
	if i := slices.IndexFunc(before, func(b v1alpha1.SyncedAccount) bool { return b.ID == account.ID }); i >= 0 {
		entry.DataAsOf, entry.FinishedTasks, entry.Datapoints = before[i].DataAsOf, before[i].FinishedTasks, before[i].Datapoints
	}
	return entry
}
