package accountsync

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/schedule"
	"github.com/smile-operator/smile-operator/internal/smile"
)

type pass = engine.Run[*v1alpha1.SmileAccountSync]

// visit is what the phases of one reconcile share.
type visit struct {
	*Controller

	user    *v1alpha1.SmileUser
	userErr error
	conn    *connection.Connection
	connErr error
	known   *mirror.Mirror

	// now is when the reconcile began.
	now time.Time
	// notBefore is how fresh what is read must be.
	notBefore time.Time
	// hinted are the accounts with hints that this reconcile must process, by id; direct are those of them whose data is fetched
	// at once. heeding are all hints that are processed when the reconcile is over.
	hinted  map[string]hintsOf
	direct  map[string]bool
	heeding []mirror.HintedAccount
	// changed is true when the output must be written again.
	changed bool
	// whole is true when the data of all accounts must be fetched for that, not only what is news.
	whole bool
	// asWritten is true when the output is what was written, and dressed when it carries its owner and the template's metadata.
	asWritten, dressed bool
	// missing is true when there was no output when the pass began.
	missing bool
	// broken is what is wrong with the output, until it is repaired; nil when nothing is.
	broken *problem.Problem
	// spared is true when the output is not compared in this pass, because the output checks will have it compared.
	spared bool
	// held is why data whose ttl has passed is kept; nil when there is none.
	held *problem.Problem
	// again is true when another reconcile follows at once.
	again bool
	// undecided is true when the output holds what the status does not know.
	undecided bool
	// unjudged are the accounts whose copies in the output cannot be decided about until the clock is confirmed.
	unjudged []string
	// listed are the accounts as Smile has just shown them.
	listed []smile.Account
	// refused is what of an output is not taken back, until it is erased.
	refused erasures
	// opened are the objects of the output as they were before anything was fetched.
	opened opened
	// foreign says of outputs that could not be opened because they are not, or not yet, this object's to use, why.
	foreign map[output.Target]error
	// fetched is the data that this pass has fetched, complete or not at all.
	fetched []fetched
	// trouble that does not keep what there is from being written.
	trouble *problem.Problem
}

var (
	errUserNotFound = problem.NewWaiting(v1alpha1.ReasonUserNotFound,
		"the SmileUser that spec.userRef names does not exist in this namespace")
	errUserNotReady = problem.NewWaiting(v1alpha1.ReasonUserNotReady,
		"the SmileUser has no user at Smile yet: its own conditions say why")
	errUserSuspended = problem.NewWaiting(v1alpha1.ReasonSuspended,
		"the SmileUser is suspended").On(v1alpha1.ConditionUserReady)
)

// findUser finds the person. A connection that is not ready stops only what needs one.
func (v *visit) findUser(ctx context.Context, p *pass) (err error) {
	err = v.lookUpUser(ctx, p.Object)
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
	return engine.Requested(sync, sync.Status.LastHandledRequest)
}

// outdated reports whether the output is known to be of another spec or of other data.
func outdated(sync *v1alpha1.SmileAccountSync) bool {
	unfinished := sync.Status.Output != nil && sync.Status.Output.Fingerprint == ""
	return unfinished || reselects(sync)
}

func regenerated(sync *v1alpha1.SmileAccountSync) bool {
	return sync.Status.DataGeneration != sync.Generation
}

// lookAtAccounts keeps the list of the accounts that the sync covers.
func (v *visit) lookAtAccounts(ctx context.Context, p *pass) error {
	v.now = p.Now
	v.whole = outdated(p.Object) || requested(p.Object) || p.Object.Status.DataPending
	v.change(v.whole)
	v.change(regenerated(p.Object))
	if v.connErr != nil {
		if v.changed {
			return v.connErr
		}
		return engine.ErrRest
	}
	v.schedule(p)
	accounts, err := v.accounts(ctx, p.Object)
	asKnown := errors.Is(err, errAsKnown)
	if err != nil && !asKnown {
		return err
	}
	if err := v.inspectFirst(p); err != nil {
		return err
	}
	if err := v.Owners.Verify(ctx, v.conn, v.user, v.user.Status.UserID); err != nil {
		return err
	}
	if !asKnown {
		if err := v.takeIn(ctx, p, accounts); err != nil {
			return err
		}
	}
	v.summarise(p)
	return nil
}

// summarise says on the running phase's condition, and on Ready, how the accounts are.
func (v *visit) summarise(p *pass) {
	found := connectednessOf(p.Object.Status.Accounts)
	p.Set(v1alpha1.ConditionAccountsConnected, found.outcome())
	if p.Object.Status.ConnectedAccounts == 0 {
		p.SetReady(found.reason, found.message)
	}
}

// takeIn brings the status up to what was listed, once what is missing there has been asked about.
func (v *visit) takeIn(ctx context.Context, p *pass, accounts []smile.Account) error {
	covered, err := v.confirmGone(ctx, p, v.covered(p.Object, accounts))
	if err != nil {
		return err
	}
	v.listed = accounts
	setAccounts(p.Object, covered)
	return nil
}

// schedule finds out how fresh what is read must be, and when to look again. What Smile has not been asked about is
// listed for everybody by the mirror, which wakes whom it concerns.
func (v *visit) schedule(p *pass) {
	hint := v.Mirrors.Hint(v.user, v.conn.ResyncInterval)
	p.WakeAt(hint.Next)
	v.notBefore = hint.Last
	v.takeHints(p.Object, hint.Accounts)
	for _, account := range p.Object.Status.Accounts {
		if connected(account) && account.FinishedTasks == 0 && account.ConnectedAt != nil {
			looks := schedule.AfterActivity(account.ConnectedAt.Time, p.Now)
			p.WakeAt(looks.Next)
			if looks.Last.After(v.Mirrors.Started()) && looks.Last.After(v.notBefore) {
				v.notBefore = looks.Last
			}
		}
	}
	if (requested(p.Object) || v.undecided || p.Resumed) && p.Now.After(v.notBefore) { // a hint may have been seen first in this very pass
		v.notBefore = p.Now
	}
}

// urgently gives calls priority over routine refreshes if there is a hint or a requested refresh.
func (v *visit) urgently(ctx context.Context) context.Context {
	if v.notBefore.IsZero() && len(v.hinted) == 0 {
		return ctx
	}
	return smile.WithLane(ctx, smile.LaneHint)
}

// errAsKnown means that only the output is to be repaired, for which the accounts are taken as the status knows them: Smile
// refuses the data of one that is gone.
var errAsKnown = errors.New("the accounts are taken as they are known")

// accounts gives the accounts of the person, ErrRest when none need be looked at, or errAsKnown.
func (v *visit) accounts(ctx context.Context, sync *v1alpha1.SmileAccountSync) ([]smile.Account, error) {
	userID := v.user.Status.UserID
	if _, listed := v.known.CachedAccounts(userID); !v.notBefore.IsZero() || v.whole && !listed {
		_, err := v.known.Accounts(v.urgently(ctx), sync.UID, userID, v.notBefore)
		if err != nil {
			return nil, missingIfNotFound(err)
		}
	}
	if err := v.askHinted(v.urgently(ctx), sync.UID); err != nil {
		return nil, missingIfNotFound(err)
	}
	accounts, listed := v.known.CachedAccounts(userID)
	switch {
	case listed:
		return accounts, nil
	case v.changed || len(v.hinted) > 0:
		return nil, errAsKnown
	default:
		return nil, v.restOrRelease(ctx, sync)
	}
}

func missingIfNotFound(err error) error {
	if smile.IsNotFound(err) {
		return ownership.ErrMissing
	}
	return err
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

// confirmGone asks about each account that is missing from a listing before its data is erased, because a listing may be
// incomplete. If many disappeared at once, none of that changes the status.
func (v *visit) confirmGone(ctx context.Context, p *pass, listed []smile.Account) ([]smile.Account, error) {
	sync := p.Object
	for _, before := range sync.Status.Accounts {
		i := slices.IndexFunc(listed, func(a smile.Account) bool { return a.ID == before.ID })
		linked := i >= 0 && listed[i].Connection.Status != smile.ConnectionDisconnected
		if linked || !selected(sync, before) || disconnected(before) {
			continue
		}
		if err := v.mayLose(ctx, p, before); err != nil {
			return nil, err
		}
		if i >= 0 {
			continue
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

// mayLose reports why the data of an account that Smile no longer shows as linked must stay; nil when it may be erased, or when
// there is none.
func (v *visit) mayLose(ctx context.Context, p *pass, account v1alpha1.SyncedAccount) error {
	if !mirror.AtStake(p.Object, account) || mirror.Ended(account, v.ttlTime(ctx, p)) {
		return nil
	}
	return v.known.MayErase(v.conn.Name, v.userID(), account.ID)
}

// differs reports whether the status shows other accounts, or other properties of them.
func (v *visit) differs(sync *v1alpha1.SmileAccountSync, accounts []smile.Account) bool {
	return !equality.Semantic.DeepEqual(sync.Status.Accounts, entriesOf(sync, accounts))
}

// change records that the output must be written again, if so.
func (v *visit) change(changed bool) {
	v.changed = v.changed || changed
}
