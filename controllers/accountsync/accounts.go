package accountsync

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/schedule"
	"github.com/smile-operator/smile-operator/internal/smile"
)

func requested(sync *v1alpha1.SmileAccountSync) bool {
	return engine.Requested(sync, sync.Status.LastHandledRequest)
}

// outdated reports whether the output holds data of another spec, or not all of the data.
func outdated(sync *v1alpha1.SmileAccountSync) bool {
	unfinished := sync.Status.Output != nil && sync.Status.Output.Fingerprint == ""
	return unfinished || reselects(sync)
}

func regenerated(sync *v1alpha1.SmileAccountSync) bool {
	return sync.Status.DataGeneration != sync.Generation
}

// observe updates the status from the accounts that Smile shows, and then decides about data that only the output has.
func (s *scope) observe(ctx context.Context, run *run) error {
	if err := s.observeAccounts(ctx, run); err != nil {
		return err
	}
	return s.readBack(ctx, run)
}

// observeAccounts keeps the list of the accounts that the sync covers.
func (s *scope) observeAccounts(ctx context.Context, run *run) error {
	s.now = run.Now
	s.plan.refetch = outdated(run.Object) || requested(run.Object) || run.Object.Status.DataPending
	s.plan.writeIf(s.plan.refetch)
	s.plan.writeIf(regenerated(run.Object))
	if s.connErr != nil {
		if s.plan.write {
			return s.connErr
		}
		return engine.ErrRest
	}
	s.schedule(run)
	accounts, err := s.accounts(ctx, run.Object)
	asKnown := errors.Is(err, errAsKnown)
	if err != nil && !asKnown {
		return err
	}
	if err := s.inspectFirst(run); err != nil {
		return err
	}
	if err := s.r.Owners.Verify(ctx, s.conn, s.user, s.user.Status.UserID); err != nil {
		return err
	}
	if asKnown {
		s.observed(run.Object)
		return nil
	}
	return s.applyListing(ctx, run, accounts)
}

// observed records the state of the accounts for the conditions.
func (s *scope) observed(sync *v1alpha1.SmileAccountSync) {
	sync.Status.ConnectedAccounts = int32(len(namesOf(sync.Status.Accounts, connected)))
	accounts := connectednessOf(sync.Status.Accounts)
	s.found.accounts = &accounts
}

// applyListing updates the status from a listing. Accounts that are missing from the listing are first read one by one.
func (s *scope) applyListing(ctx context.Context, run *run, accounts []smile.Account) error {
	covered, err := s.confirmGone(ctx, run, s.covered(run.Object, accounts))
	if err != nil {
		return err
	}
	s.listed = accounts
	setAccounts(run.Object, covered)
	s.observed(run.Object)
	return nil
}

// schedule decides how fresh the accounts and tasks that this reconcile reads must be, and when the next reconcile is due. The
// mirror reads everything else, for all users together, and wakes the objects that changed.
func (s *scope) schedule(run *run) {
	hint := s.r.Mirrors.Hint(s.user, s.conn.ResyncInterval)
	run.WakeAt(hint.Next)
	s.notBefore = hint.Last
	s.takeHints(run.Object, hint.Accounts)
	for _, account := range run.Object.Status.Accounts {
		if connected(account) && account.FinishedTasks == 0 && account.ConnectedAt != nil {
			polls := schedule.AfterActivity(account.ConnectedAt.Time, run.Now)
			run.WakeAt(polls.Next)
			if polls.Last.After(s.r.Mirrors.Started()) && polls.Last.After(s.notBefore) {
				s.notBefore = polls.Last
			}
		}
	}
	if (requested(run.Object) || s.undecided || run.Resumed) && run.Now.After(s.notBefore) { // the hint may be from this reconcile
		s.notBefore = run.Now
	}
}

// urgently gives calls priority over routine refreshes if there is a hint or a requested refresh.
func (s *scope) urgently(ctx context.Context) context.Context {
	if s.notBefore.IsZero() && len(s.hinted) == 0 {
		return ctx
	}
	return smile.WithLane(ctx, smile.LaneHint)
}

// errAsKnown means that only the output is to be repaired, from the accounts in the status. If one of them is gone, Smile
// refuses its data.
var errAsKnown = errors.New("the accounts are taken from the status")

// accounts returns the accounts of the user. It returns ErrRest if they need not be read, or errAsKnown.
func (s *scope) accounts(ctx context.Context, sync *v1alpha1.SmileAccountSync) ([]smile.Account, error) {
	userID := s.user.Status.UserID
	if _, listed := s.mirror.CachedAccounts(userID); !s.notBefore.IsZero() || s.plan.refetch && !listed {
		_, err := s.mirror.Accounts(s.urgently(ctx), sync.UID, userID, s.notBefore)
		if err != nil {
			return nil, missingIfNotFound(err)
		}
	}
	if err := s.askHinted(s.urgently(ctx), sync.UID); err != nil {
		return nil, missingIfNotFound(err)
	}
	accounts, listed := s.mirror.CachedAccounts(userID)
	switch {
	case listed:
		return accounts, nil
	case s.plan.write || len(s.hinted) > 0:
		return nil, errAsKnown
	default:
		return nil, s.restOrRelease(ctx, sync)
	}
}

func missingIfNotFound(err error) error {
	if smile.IsNotFound(err) {
		return ownership.ErrMissing
	}
	return err
}

// covered are the accounts that the spec selects. An account of another user is never among them, whatever the spec names and
// whatever Smile listed.
func (s *scope) covered(sync *v1alpha1.SmileAccountSync, accounts []smile.Account) []smile.Account {
	var covered []smile.Account
	for _, account := range accounts {
		own := account.UserID == s.user.Status.UserID
		if own && among(sync.Spec.Providers, account.ProviderID) && among(sync.Spec.AccountIDs, account.ID) {
			covered = append(covered, account)
		}
	}
	return covered
}

func among(selected []string, value string) bool {
	return len(selected) == 0 || slices.Contains(selected, value)
}

// confirmGone reads each account that is missing from a listing before its data is erased, because a listing may be
// incomplete. If many disappeared at once, none of that changes the status.
func (s *scope) confirmGone(ctx context.Context, run *run, listed []smile.Account) ([]smile.Account, error) {
	sync := run.Object
	for _, before := range sync.Status.Accounts {
		i := slices.IndexFunc(listed, func(a smile.Account) bool { return a.ID == before.ID })
		linked := i >= 0 && listed[i].Connection.Status != smile.ConnectionDisconnected
		if linked || !selected(sync, before) || disconnected(before) {
			continue
		}
		if err := s.mayLose(ctx, run, before); err != nil {
			return nil, err
		}
		if i >= 0 {
			continue
		}
		account, err := s.conn.Client.Account(ctx, before.ID)
		if smile.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		listed = append(listed, s.covered(sync, []smile.Account{account})...)
	}
	return listed, nil
}

// mayLose reports why the data of an account that Smile no longer shows as linked must stay; nil if it may be erased, or if there
// is none.
func (s *scope) mayLose(ctx context.Context, run *run, account v1alpha1.SyncedAccount) error {
	if !mirror.AtStake(run.Object, account) || mirror.Ended(account, s.ttlTime(ctx, run)) {
		return nil
	}
	return s.mirror.MayErase(s.conn.Name, s.userID(), account.ID)
}

// differs reports whether the status shows other accounts, or other properties of them.
func (s *scope) differs(sync *v1alpha1.SmileAccountSync, accounts []smile.Account) bool {
	return !equality.Semantic.DeepEqual(sync.Status.Accounts, entriesOf(sync, accounts))
}
