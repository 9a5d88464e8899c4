package user

import (
	"context"
	"errors"
	"iter"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// revoke revokes every account and archive of the person, irrevocably, and is done once a fresh listing shows none.
// A creation whose outcome is unknown is settled first: what it made is the person's too.
func (v *visit) revoke(ctx context.Context, p *pass) error {
	ctx = smile.WithLane(ctx, smile.LaneRevoke)
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
	// What must wait for a person's approval makes no calls meanwhile.
	if err := conn.RevokesPaused(); err != nil {
		return err
	}
	err = v.Owners.Verify(ctx, conn, p.Object, userID)
	if errors.Is(err, ownership.ErrMissing) {
		return nil
	}
	if err != nil {
		return err
	}
	// The second round finds nothing to do, which is the proof that the first did it.
	for range 2 {
		revoked, err := v.revokeRound(ctx, p.Object, userID)
		if err != nil || revoked == 0 {
			return err
		}
	}
	return problem.NewTransient(v1alpha1.ReasonSmileUnavailable, "Smile still lists what was revoked")
}

func (v *visit) settleBeforeRevoking(ctx context.Context, p *pass) error {
	if p.Object.Status.UserID != "" || p.Object.Status.CreateAttempt == nil {
		return nil
	}
	conn, known, err := v.connection()
	if err != nil {
		return err
	}
	person, err := v.Owners.Person(ctx, conn, p.Object)
	if err != nil {
		return err
	}
	request := v.request(p, known, person)
	err = v.Creation.Settle(ctx, request)
	storeIntent(p.Object, request.Intent)
	return err
}

// revokeRound revokes what listings show, and tells how much that was.
func (v *visit) revokeRound(ctx context.Context, user *v1alpha1.SmileUser, userID string) (int, error) {
	accounts, err := revokeAll(v.conn.Client.Accounts(ctx, smile.AccountFilter{UserID: userID}), func(a smile.Account) error {
		if a.UserID != userID || a.Connection.Status == smile.ConnectionDisconnected {
			return errNothingToRevoke
		}
		return v.revokeOne(user, v.Identity.Account(a.ID), func() error { return v.conn.RevokeAccount(ctx, a.ID) })
	})
	if err != nil {
		return accounts, err
	}
	archives, err := revokeAll(v.conn.Client.Archives(ctx, smile.ArchiveFilter{UserID: userID}), func(a smile.Archive) error {
		if a.UserID != userID || a.Status == smile.ArchiveRevoked {
			return errNothingToRevoke
		}
		return v.revokeOne(user, "", func() error { return v.conn.RevokeArchive(ctx, a.ID) })
	})
	return accounts + archives, err
}

// revokeOne makes a call that revokes, and records it if it was sent. An archive has no account.
func (v *visit) revokeOne(user *v1alpha1.SmileUser, account string, call func() error) error {
	err := call()
	var unsent *smile.UnsentError
	if errors.As(err, &unsent) {
		return err
	}
	v.Audit.Write(auditlog.Record{
		Actor: "SmileUser", Object: auditlog.ObjectOf("SmileUser", user), Account: account,
		Action: auditlog.ActionRevoked, Reason: auditlog.ReasonObjectDeleted, Outcome: outcomeOf(err),
	})
	return err
}

// outcomeOf is what a call to revoke has come to. What is gone already is revoked.
func outcomeOf(err error) auditlog.Outcome {
	switch {
	case err == nil, smile.IsNotFound(err):
		return auditlog.OutcomeSucceeded
	case smile.NotCreated(err):
		return auditlog.OutcomeFailed
	default:
		return auditlog.OutcomeUnknown
	}
}

var errNothingToRevoke = errors.New("nothing to revoke")

// revokeAll revokes what a listing shows. What is gone meanwhile is revoked.
func revokeAll[T any](listing iter.Seq2[T, error], revoke func(T) error) (revoked int, err error) {
	for item, err := range listing {
		if err == nil {
			err = revoke(item)
		}
		switch {
		case errors.Is(err, errNothingToRevoke):
		case err == nil, smile.IsNotFound(err):
			revoked++
		default:
			return revoked, err
		}
	}
	return revoked, nil
}
