package connection

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/problem"
)

type run = engine.Run[*v1alpha1.SmileConnection]

// scope lives for one reconcile.
type scope struct {
	r *Reconciler

	// conn is the connection, once it is proven.
	conn *connection.Connection
}

// checkRevokes shows whether revokes wait for a person's approval, and takes that approval. If none is needed, it shows whether
// declared revokes wait.
func (s *scope) checkRevokes(ctx context.Context, run *run) (engine.Outcome, error) {
	status := &run.Object.Status
	if approval, isNew := engine.NewValue(run.Object, v1alpha1.AnnotationApproveRevokes, status.LastHandledApproval); isNew {
		s.r.Connections.ApproveRevokes(run.Object)
		status.LastHandledApproval = approval
	}
	waiting := s.r.Connections.RevokeLimitReached(ctx, run.Object)
	if paused, ok := errors.AsType[*problem.Problem](s.r.Connections.RevokesPaused(run.Object)); ok {
		waiting = paused
	}
	if waiting == nil {
		return engine.Absent, nil
	}
	shown := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionRevokesAllowed)
	if shown == nil || shown.Reason != waiting.Reason {
		run.Event(corev1.EventTypeWarning, waiting.Reason, "Revoke", waiting.Message)
	}
	return engine.False(waiting.Reason, waiting.Message), nil
}

var errWrongMode = problem.NewInvalid(v1alpha1.ReasonModeMismatch,
	"a token showed that the key pair belongs to the other mode, so no more calls are made with it: put a key pair of spec.mode into the Secret").
	After(connection.Recheck)

// prove reads the Secret, and proves its key pair by one call unless that was done before.
func (s *scope) prove(ctx context.Context, run *run) error {
	conn, err := s.r.Connections.Refresh(ctx, run.Object)
	if err != nil {
		return recheckSoon(err)
	}
	status := &run.Object.Status
	status.Endpoint, status.Mode = conn.Endpoint, conn.Mode
	status.RequestsPerSecond = int32(conn.RequestsPerSecond)
	status.ResyncInterval = &metav1.Duration{Duration: conn.ResyncInterval}
	status.RevokesPerDay = int32(conn.RevokesPerDay)
	former := status.Credentials
	rotated := former == nil || former.Fingerprint != conn.Fingerprint()
	if conn.WrongMode() {
		return errWrongMode
	}
	tenant := ""
	if rotated && former != nil {
		tenant = former.KnownUserID
	}
	if err := conn.Prove(ctx, tenant); err != nil {
		if problem.Is(err, v1alpha1.ReasonInvalidCredentials) {
			err = s.r.Connections.Refused(conn).Because(err)
		}
		return recheckSoon(err)
	}
	if rotated {
		status.Credentials = &v1alpha1.CredentialsStatus{Fingerprint: conn.Fingerprint(), Since: &metav1.Time{Time: run.Now}}
	}
	status.Credentials.ModeConfirmed = conn.ModeConfirmed()
	if user := conn.KnownUser(); user != "" {
		status.Credentials.KnownUserID = user
	} else if former != nil {
		status.Credentials.KnownUserID = former.KnownUserID
	}
	run.WakeAfter(engine.Jitter(recheck))
	s.conn = conn
	return nil
}

// recheckSoon schedules another read of the Secret of a connection that does not work. Calls are retried at a pace of their own.
func recheckSoon(err error) error {
	shown, ok := errors.AsType[*problem.Problem](err)
	if ok && shown.RetryAfter > connection.Recheck {
		return shown.After(connection.Recheck)
	}
	return err
}

// checkSecretUse warns of a key pair that stays in use although its Secret does not permit that.
func (s *scope) checkSecretUse(_ context.Context, run *run) (engine.Outcome, error) {
	if !s.conn.Undeclared {
		return engine.Absent, nil
	}
	return engine.Warning(v1alpha1.ReasonSecretUseNotPermitted, "Prove", connection.SecretReference(run.Object).Warning()), nil
}

// checkMirror shows how old the mirror is, and takes a person's approval of an erasure that it holds back.
func (s *scope) checkMirror(_ context.Context, run *run) (engine.Outcome, error) {
	status, view := &run.Object.Status, s.r.Mirrors.For(s.conn)
	view.ResumeTasks(s.conn, status.TasksSince)
	if since := view.TasksSince(); !since.IsZero() {
		status.TasksSince = &metav1.Time{Time: since}
	}
	if approval, isNew := engine.NewValue(run.Object, v1alpha1.AnnotationApproveErasure, status.LastErasureApproval); isNew {
		status.LastErasureApproval = approval
		view.ApproveErasure(s.conn.Name)
	}
	held := view.ErasureHeld(s.conn.Name)
	switch {
	case held != nil:
		run.SetReady(held.Reason, held.Message)
		return engine.False(held.Reason, held.Message), nil //nolint:nilerr // it is shown, and does not fail the reconcile
	case view.Stale(s.conn.ResyncInterval):
		return engine.False(v1alpha1.ReasonStale, "the last listings of Smile are older than two resync intervals: listings fail or wait"), nil
	default:
		return engine.Succeeded, nil
	}
}
