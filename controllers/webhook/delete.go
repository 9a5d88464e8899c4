package webhook

import (
	"cmp"
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

var errNotDeleted = problem.NewTransient(v1alpha1.ReasonSmileUnavailable,
	"Smile acknowledged the deletion of a webhook and still shows it: it is deleted again, because it sends events until it is gone")

// endAll deletes the webhooks of the registrations that are chosen. One that Smile does not delete does not stop the others.
func (s *scope) endAll(ctx context.Context, run *run, chosen func(registration) bool) error {
	var undeleted error
	for i := range run.Object.Status.Registrations {
		r := &run.Object.Status.Registrations[i]
		if !alive(*r) || r.WebhookID == "" || !chosen(*r) {
			continue
		}
		err := s.end(ctx, run, r)
		if err != nil && !errors.Is(err, errNotDeleted) {
			return err
		}
		undeleted = cmp.Or(undeleted, err)
	}
	return undeleted
}

// end deletes the webhook of a registration. The events that it has sent are accepted for a while longer.
func (s *scope) end(ctx context.Context, run *run, r *registration) error {
	found, err := s.delete(ctx, run, r.WebhookID)
	switch {
	case err != nil:
		return err
	case !found:
		return s.notFound(run, r)
	default:
		s.recordDeletion(run, r)
		return nil
	}
}

// notFound treats a webhook that Smile does not know as deleted. If the key pair may be of another tenant, an event says so.
func (s *scope) notFound(run *run, r *registration) error {
	conn, err := s.remote.Connection()
	if err != nil {
		return err
	}
	if ofOtherKeys(*r, conn) {
		run.Event(corev1.EventTypeWarning, v1alpha1.ReasonOrphaned, "Register",
			"Smile does not know the webhook under the connection's present key pair: if that pair belongs to another tenant, the webhook still exists at the former tenant and sends events")
	}
	s.recordDeletion(run, r)
	return nil
}

// ofOtherKeys reports whether a webhook was last seen under another key pair.
func ofOtherKeys(r registration, conn *connection.Connection) bool {
	return r.Credentials != "" && r.Credentials != conn.Fingerprint()
}

// recordDeletion records that a webhook is deleted, and until when its events are accepted.
func (s *scope) recordDeletion(run *run, r *registration) {
	until := run.Now.Add(s.r.Overlap)
	r.AcceptedUntil = &metav1.Time{Time: until}
	s.r.attempts.forget(r.ID)
	run.WakeAt(until)
}

// sweep deletes webhooks that were registered for this object and are not in its status.
func (s *scope) sweep(ctx context.Context, run *run, mine []mirror.Webhook) error {
	var undeleted error
	for _, remote := range mine {
		registered := slices.ContainsFunc(run.Object.Status.Registrations, func(r registration) bool {
			return r.WebhookID == remote.ID || r.WebhookID == "" && r.ID == remote.Name.Pair
		})
		if registered {
			continue
		}
		_, err := s.delete(ctx, run, remote.ID)
		if err != nil && !errors.Is(err, errNotDeleted) {
			return err
		}
		undeleted = cmp.Or(undeleted, err)
	}
	return undeleted
}

// delete deletes a webhook of this object at Smile, and reports whether it existed. An acknowledged deletion proves nothing. A
// GET that no longer finds the webhook does.
func (s *scope) delete(ctx context.Context, run *run, webhookID string) (found bool, err error) {
	_, ok, err := s.ours(ctx, run, webhookID)
	if err != nil || !ok {
		return false, err
	}
	conn, view, err := s.remote.Use()
	if err != nil {
		return false, err
	}
	err = conn.DeleteWebhook(ctx, webhookID)
	if err != nil && !smile.IsNotFound(err) {
		return false, err
	}
	_, err = conn.Client.Webhook(ctx, webhookID)
	if err == nil {
		err = errNotDeleted
	}
	if !smile.IsNotFound(err) {
		return true, err
	}
	view.DropWebhook(webhookID)
	return true, nil
}
