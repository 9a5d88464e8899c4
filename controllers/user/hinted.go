package user

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// hintedToRead returns the hinted accounts that must be read to count the accounts of a user. New data of an account that is
// connected changes no number.
func (s *scope) hintedToRead(
	ctx context.Context, user *v1alpha1.SmileUser, view *mirror.Mirror, hints []mirror.HintedAccount,
) ([]mirror.HintedAccount, error) {
	if len(hints) == 0 {
		return nil, nil
	}
	connected, err := s.connected(ctx, user, view)
	if err != nil {
		return nil, err
	}
	userID := user.Status.UserID
	return slices.DeleteFunc(slices.Clone(hints), func(hint mirror.HintedAccount) bool {
		return hint.About == v1alpha1.HintData && connected[hint.ID] || view.AccountReadSince(userID, hint.ID, hint.Since) ||
			view.IsForeign(userID, hint.ID)
	}), nil
}

// connected returns which accounts of a user are connected, as far as the mirror or the statuses of the user's syncs show.
func (s *scope) connected(ctx context.Context, user *v1alpha1.SmileUser, view *mirror.Mirror) (map[string]bool, error) {
	connected := map[string]bool{}
	if accounts, ok := view.CachedAccounts(user.Status.UserID); ok {
		for _, account := range accounts {
			connected[account.ID] = account.Connection.Status == smile.ConnectionConnected
		}
		return connected, nil
	}
	var syncs v1alpha1.SmileAccountSyncList
	err := s.r.Client.List(ctx, &syncs, client.InNamespace(user.Namespace), client.MatchingFields{index.User: user.Name})
	if err != nil {
		return nil, err
	}
	for _, sync := range syncs.Items {
		for _, account := range sync.Status.Accounts {
			if account.ConnectionStatus == string(smile.ConnectionConnected) {
				connected[account.ID] = true
			}
		}
	}
	return connected, nil
}

func refreshHinted(ctx context.Context, run *run, view *mirror.Mirror, hinted []mirror.HintedAccount) error {
	for _, hint := range hinted {
		err := view.RefreshAccount(smile.WithLane(ctx, smile.LaneHint), run.Object.UID, run.Object.Status.UserID, hint.ID, hint.Since)
		if smile.IsNotFound(err) {
			return ownership.ErrMissing
		}
		if err != nil {
			return err
		}
	}
	return nil
}
