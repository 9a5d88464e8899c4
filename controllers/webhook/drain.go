package webhook

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// drain deletes the webhooks that were replaced long enough ago, once another one is verified.
func (s *scope) drain(ctx context.Context, run *run) error {
	if !slices.ContainsFunc(
		run.Object.Status.Registrations,
		func(r registration) bool { return serving(r) && r.VerifiedAt != nil },
	) {
		return nil
	}
	s.drop(run, func(r registration) bool { return alive(r) && r.RetiredAt != nil && r.WebhookID == "" })
	return s.endAll(ctx, run, func(r registration) bool {
		if r.RetiredAt == nil {
			return false
		}
		due := r.RetiredAt.Add(s.r.Overlap)
		if due.After(run.Now) {
			run.WakeAt(due)
		}
		return !due.After(run.Now)
	})
}

// withdraw deletes the webhooks whose URL is no longer allowed, whatever replaces them.
func (s *scope) withdraw(ctx context.Context, run *run) error {
	refused := func(r registration) bool {
		_, reason := s.r.Policy.Check(r.URL)
		return r.URL != "" && reason != "" && alive(r) && r.WebhookID != ""
	}
	if !slices.ContainsFunc(run.Object.Status.Registrations, refused) {
		return nil
	}
	if err := s.openPairsToDelete(ctx, run); err != nil {
		return err
	}
	shown := func(r registration) bool { return refused(r) && r.URL == run.Object.Status.URL }
	before := slices.ContainsFunc(run.Object.Status.Registrations, shown)
	err := s.endAll(ctx, run, refused)
	if before && !slices.ContainsFunc(run.Object.Status.Registrations, shown) {
		run.Object.Status.URL = ""
	}
	return err
}

// unregister deletes everything that was registered. A creation whose outcome is unknown is settled first. A listing shows what
// the status has lost. If no listing can be made, it is required only if the status shows a registration.
func (s *scope) unregister(ctx context.Context, run *run) error {
	s.remote = s.r.Mirrors.Remote(s.r.Connections.ForUndo(ctx, run.Object.Namespace, run.Object.Spec.ConnectionRef))
	if !slices.ContainsFunc(run.Object.Status.Registrations, alive) && !s.remote.Usable() {
		return nil
	}
	if err := s.openPairsToDelete(ctx, run); err != nil {
		return err
	}
	if err := s.settle(ctx, run); err != nil {
		return err
	}
	undeleted := s.endAll(ctx, run, func(registration) bool { return true })
	if undeleted != nil && !errors.Is(undeleted, errNotDeleted) {
		return undeleted
	}
	_, view, err := s.remote.Use()
	if err != nil {
		return err
	}
	listed, _, err := view.Webhooks(ctx, time.Time{})
	if err == nil {
		err = s.sweep(ctx, run, mirror.WebhooksOf(listed, run.Object.UID))
	}
	return cmp.Or(err, undeleted)
}

// openPairsToDelete reads the pairs, by which a webhook that was renamed is recognized. A Secret of another owner has none.
func (s *scope) openPairsToDelete(ctx context.Context, run *run) error {
	if s.pairs != nil {
		return nil
	}
	err := s.openPairs(ctx, run)
	if problem.Is(err, v1alpha1.ReasonOutputConflict) {
		return nil
	}
	return err
}
