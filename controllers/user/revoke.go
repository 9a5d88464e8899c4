package user

import (
	"context"
	"errors"
	"iter"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// revoke revokes every account and archive of the person, irrevocably, and returns nil once a new listing shows none. A creation
// whose outcome is unknown is settled first, because the user that it created belongs to the person too.
func (s *scope) revoke(ctx context.Context, run *run) error {
	ctx = smile.WithLane(ctx, smile.LaneRevoke)
	s.remote = s.r.Mirrors.Remote(s.r.Connections.ForUndo(ctx, run.Object.Namespace, run.Object.Spec.ConnectionRef))
	found, err := s.findUser(ctx, run)
	if err != nil || !found {
		return err
	}
	conn, _, err := s.remote.Use()
	if err != nil {
		return err
	}
	// Revokes that wait for an approval make no calls meanwhile.
	if err := conn.RevokesPaused(); err != nil {
		return err
	}
	err = s.r.Owners.Verify(ctx, conn, run.Object, run.Object.Status.UserID)
	if errors.Is(err, ownership.ErrMissing) {
		return nil
	}
	if err != nil {
		return err
	}
	// The second time finds nothing left, which proves that the first time revoked everything.
	for range 2 {
		revoked, err := s.revokeListed(ctx, run.Object, conn)
		if err != nil || revoked == 0 {
			return err
		}
	}
	return problem.NewTransient(v1alpha1.ReasonSmileUnavailable, "Smile still lists what was revoked")
}

// findUser reports whether the object has a user at Smile: the one in the status, or the one that an open attempt has created.
func (s *scope) findUser(ctx context.Context, run *run) (found bool, err error) {
	if run.Object.Status.UserID != "" {
		return true, nil
	}
	if run.Object.Status.CreateAttempt == nil {
		return false, nil
	}
	conn, view, err := s.remote.Use()
	if err != nil {
		return false, err
	}
	request, err := s.request(ctx, run, conn, view)
	if err != nil {
		return false, err
	}
	found, err = s.r.Creation.Settle(ctx, request)
	storeIntent(run.Object, request.Intent)
	return found, err
}

// revokeListed revokes the accounts and archives that listings show, and returns their number.
func (s *scope) revokeListed(ctx context.Context, user *v1alpha1.SmileUser, conn *connection.Connection) (int, error) {
	userID := user.Status.UserID
	accounts, err := revokeAll(conn.Client.Accounts(ctx, smile.AccountFilter{UserID: userID}), func(a smile.Account) error {
		if a.UserID != userID || a.Connection.Status == smile.ConnectionDisconnected {
			return errNothingToRevoke
		}
		return s.revokeOne(user, s.r.Identity.Account(a.ID), func() error { return conn.RevokeAccount(ctx, a.ID) })
	})
	if err != nil {
		return accounts, err
	}
	archives, err := revokeAll(conn.Client.Archives(ctx, smile.ArchiveFilter{UserID: userID}), func(a smile.Archive) error {
		if a.UserID != userID || a.Status == smile.ArchiveRevoked {
			return errNothingToRevoke
		}
		return s.revokeOne(user, "", func() error { return conn.RevokeArchive(ctx, a.ID) })
	})
	return accounts + archives, err
}

// revokeOne makes a call that revokes, and records it in the audit log if it was sent. account is "" for an archive.
func (s *scope) revokeOne(user *v1alpha1.SmileUser, account string, call func() error) error {
	err := call()
	var unsent *smile.UnsentError
	if errors.As(err, &unsent) {
		return err
	}
	s.r.Audit.Write(auditlog.Record{
		Actor: "SmileUser", Object: auditlog.ObjectOf("SmileUser", user), Account: account,
		Action: auditlog.ActionRevoked, Reason: auditlog.ReasonObjectDeleted, Outcome: outcomeOf(err),
	})
	return err
}

// outcomeOf returns the outcome of a call that revokes. Something that no longer exists is revoked.
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

// revokeAll revokes what a listing shows, and returns the number. Something that no longer exists is revoked.
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
