package webhook

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/schedule"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// observe compares the webhooks that Smile lists with the registrations, when that is due. A webhook that was changed or deleted
// at Smile is registered again, and one of this object that is not in the status is deleted.
func (s *scope) observe(ctx context.Context, run *run, w *wanted) error {
	conn, err := s.remote.Connection()
	if problem.Is(err, v1alpha1.ReasonConnectionNotFound) {
		return err
	}
	if err != nil {
		return nil //nolint:nilerr // meanwhile, the registrations stay as they are
	}
	listing, due := s.nextListing(run, conn)
	run.WakeAt(listing.Next)
	if !due {
		return nil
	}
	_, view, err := s.remote.Use()
	if err != nil {
		return err
	}
	listed, readAt, err := view.Webhooks(ctx, listing.Last)
	if err != nil {
		return err
	}
	mine := mirror.WebhooksOf(listed, run.Object.UID)
	if err := s.compareAll(ctx, run, w, mine, readAt); err != nil {
		return err
	}
	if err := s.sweep(ctx, run, mine); err != nil {
		return err
	}
	run.Object.Status.LastHandledRequest = engine.Echo(run.Object, v1alpha1.AnnotationRequestedAt)
	return nil
}

// nextListing returns when the webhooks at Smile must be listed, and whether that is due now.
func (s *scope) nextListing(run *run, conn *connection.Connection) (listing schedule.Due, due bool) {
	listing = schedule.Grid(conn.Account(), conn.ResyncInterval, run.Now)
	if engine.Requested(run.Object, run.Object.Status.LastHandledRequest) {
		return schedule.Due{Last: run.Now, Next: listing.Next}, true
	}
	return listing, listing.Last.After(s.r.Mirrors.Started())
}

// compareAll compares a listing with the registrations that it must show.
func (s *scope) compareAll(ctx context.Context, run *run, w *wanted, mine []mirror.Webhook, readAt time.Time) error {
	for i := range run.Object.Status.Registrations {
		r := &run.Object.Status.Registrations[i]
		if !alive(*r) || r.WebhookID == "" || readAt.Sub(r.StartedAt.Time) < smile.ListingLag {
			continue
		}
		if err := s.compare(ctx, run, w, r, mine); err != nil {
			return err
		}
	}
	return nil
}

// compare retires a registration whose webhook was changed at Smile.
func (s *scope) compare(ctx context.Context, run *run, w *wanted, r *registration, mine []mirror.Webhook) error {
	found := slices.IndexFunc(mine, func(listed mirror.Webhook) bool { return listed.ID == r.WebhookID })
	if found < 0 {
		return s.checkMissing(ctx, run, r)
	}
	conn, err := s.remote.Connection()
	if err != nil {
		return err
	}
	r.Credentials = conn.Fingerprint()
	if serving(*r) && r.Fingerprint == w.fingerprint && !mine[found].Is(s.request(run, w, s.pairs[r.ID])) {
		r.RetiredAt = &metav1.Time{Time: run.Now}
	}
	return nil
}

// checkMissing requests a webhook that the listing lacks. One that Smile does not know is deleted, and one that was renamed
// retires.
func (s *scope) checkMissing(ctx context.Context, run *run, r *registration) error {
	remote, ok, err := s.ours(ctx, run, r.WebhookID)
	switch {
	case err != nil:
		return err
	case !ok:
		return s.notFound(run, r)
	case serving(*r) && renamed(remote):
		r.RetiredAt = &metav1.Time{Time: run.Now}
	}
	return nil
}

func renamed(remote smile.Webhook) bool {
	_, ok := hook.ParseName(remote.Name)
	return !ok
}

// ours returns a webhook at Smile if it exists and was registered for this object. Its name shows that or, if it was renamed, its
// path or secret. An id in a status alone gives no access.
func (s *scope) ours(ctx context.Context, run *run, webhookID string) (remote smile.Webhook, ok bool, err error) {
	conn, _, err := s.remote.Use()
	if err != nil {
		return remote, false, err
	}
	remote, err = conn.Client.Webhook(ctx, webhookID)
	switch {
	case smile.IsNotFound(err):
		return remote, false, nil
	case err != nil:
		return remote, false, err
	}
	if name, ok := hook.ParseName(remote.Name); ok || s.paired(remote) {
		return remote, !ok || name.UID == run.Object.UID, nil
	}
	run.Event(corev1.EventTypeWarning, v1alpha1.ReasonOrphaned, "Register",
		"a webhook of this object was renamed at Smile and can no longer be recognized: delete it at Smile by hand")
	return remote, false, nil
}

// paired reports whether a webhook has the path or the secret of one of the pairs.
func (s *scope) paired(remote smile.Webhook) bool {
	for _, pair := range s.pairs {
		if path := pair.Path.Reveal(); path != "" && path == pathOf(remote) || pair.Secret.Equal(remote.Secret) {
			return true
		}
	}
	return false
}
