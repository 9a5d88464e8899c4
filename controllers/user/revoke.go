package user

import (
	"context"
	"errors"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// revoke revokes every account and archive of the person, irrevocably, and is done once a fresh listing shows none.
// A creation whose outcome is unknown is settled first: what it made is the person's too.
func (v *visit) revoke(ctx context.Context, p *pass) error {
	v.conn, v.connErr = v.Connections.ForUndo(ctx, p.Object.Namespace, p.Object.Spec.ConnectionRef)
	if err := v.settleBeforeRevoking(ctx, p); err != nil {
		return err
	}
	userID := p.Object.Status.UserID
	if userID == "" {
		return nil
	}
	conn, _, err := v.connection()
	if err != nil {
		return err
	}
	err = v.Owners.Verify(ctx, conn, p.Object, userID)
	if errors.Is(err, mirror.ErrMissing) {
		return nil
	}
	if err != nil {
		return err
	}
	// The second round finds nothing to do, which is the proof that the first did it.
	for range 2 {
		revoked, err := v.revokeRound(ctx, userID)
		if err != nil || revoked == 0 {
			return err
		}
	}
	return engine.NewTransient(v1alpha1.ReasonSmileUnavailable, "Smile still lists what was revoked")
}

func (v *visit) settleBeforeRevoking(ctx context.Context, p *pass) error {
	if p.Object.Status.UserID != "" || p.Object.Status.CreateAttempt == nil {
		return nil
	}
	conn, _, err := v.connection()
	if err != nil {
		return err
	}
	marker, err := v.Owners.Marker(ctx, conn, p.Object)
	if err != nil {
		return err
	}
	return v.settle(ctx, p, marker)
}

// revokeRound revokes what a listing shows, and tells how much that was. What is gone meanwhile is revoked.
func (v *visit) revokeRound(ctx context.Context, userID string) (revoked int, err error) {
	ctx = smile.WithFence(ctx, v.Fence)
	client := v.conn.Client
	for account, err := range client.Accounts(ctx, smile.AccountFilter{UserID: userID}) {
		if err != nil {
			return revoked, err
		}
		if account.UserID != userID || account.Connection.Status == smile.ConnectionDisconnected {
			continue
		}
		if err := client.RevokeAccount(ctx, account.ID); err != nil && !smile.IsNotFound(err) {
			return revoked, err
		}
		revoked++
	}
	for archive, err := range client.Archives(ctx, smile.ArchiveFilter{UserID: userID}) {
		if err != nil {
			return revoked, err
		}
		if archive.UserID != userID || archive.Status == smile.ArchiveRevoked {
			continue
		}
		if err := client.RevokeArchive(ctx, archive.ID); err != nil && !smile.IsNotFound(err) {
			return revoked, err
		}
		revoked++
	}
	return revoked, nil
}
