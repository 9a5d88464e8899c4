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

// toAsk are the hinted accounts that Smile must be asked about to count the accounts of a user. New data of an account that is
// connected changes no count.
func (v *visit) toAsk(
	ctx context.Context, user *v1alpha1.SmileUser, known *mirror.Mirror, hints []mirror.HintedAccount,
) ([]mirror.HintedAccount, error) {
	if len(hints) == 0 {
		return nil, nil
	}
	connected, err := v.connected(ctx, user, known)
	if err != nil {
		return nil, err
	}
	userID := user.Status.UserID
	return slices.DeleteFunc(slices.Clone(hints), func(hint mirror.HintedAccount) bool {
		return hint.About == v1alpha1.HintData && connected[hint.ID] || known.AccountReadSince(userID, hint.ID, hint.Since) ||
			known.IsForeign(userID, hint.ID)
	}), nil
}

// connected are the accounts of a user that are known as connected: to this process, or to the statuses of the user's syncs.
func (v *visit) connected(ctx context.Context, user *v1alpha1.SmileUser, known *mirror.Mirror) (map[string]bool, error) {
	connected := map[string]bool{}
	if accounts, ok := known.CachedAccounts(user.Status.UserID); ok {
		for _, account := range accounts {
			connected[account.ID] = account.Connection.Status == smile.ConnectionConnected
		}
		return connected, nil
	}
	var syncs v1alpha1.SmileAccountSyncList
	err := v.Client.List(ctx, &syncs, client.InNamespace(user.Namespace), client.MatchingFields{index.User: user.Name})
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

func (v *visit) askHinted(
	ctx context.Context, p *pass, known *mirror.Mirror, hinted []mirror.HintedAccount,
) error {
	for _, hint := range hinted {
		err := known.RefreshAccount(smile.WithLane(ctx, smile.LaneHint), p.Object.UID, p.Object.Status.UserID, hint.ID, hint.Since)
		if smile.IsNotFound(err) {
			return ownership.ErrMissing
		}
		if err != nil {
			return err
		}
	}
	return nil
}
