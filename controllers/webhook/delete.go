package webhook

import (
	"cmp"
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

var errNotDeleted = problem.NewTransient(v1alpha1.ReasonSmileUnavailable,
	"Smile acknowledged the deletion of a webhook and still shows it: it is deleted again, because it sends events until it is gone")

// endAll ends the registrations that are chosen. One that Smile does not delete keeps no other.
func (v *visit) endAll(ctx context.Context, p *pass, chosen func(registration) bool) error {
	var stays error
	for i := range p.Object.Status.Registrations {
		r := &p.Object.Status.Registrations[i]
		if !alive(*r) || r.WebhookID == "" || !chosen(*r) {
			continue
		}
		err := v.end(ctx, p, r)
		if err != nil && !errors.Is(err, errNotDeleted) {
			return err
		}
		stays = cmp.Or(stays, err)
	}
	return stays
}

// end deletes the webhook of a registration. What it has sent may still be under way.
func (v *visit) end(ctx context.Context, p *pass, r *registration) error {
	found, err := v.delete(ctx, p, r.WebhookID)
	switch {
	case err != nil:
		return err
	case found:
		v.deleted(p, r)
	default:
		v.notFound(p, r)
	}
	return nil
}

// notFound treats a webhook that Smile does not know as deleted. If the key pair may be of another tenant, an event says so.
func (v *visit) notFound(p *pass, r *registration) {
	if v.elsewhere(*r) {
		p.Event(corev1.EventTypeWarning, v1alpha1.ReasonOrphaned, "Register",
			"Smile does not know the webhook under the key pair that the connection has now: if that is another tenant's, it is left with the former one, and sends events")
	}
	v.deleted(p, r)
}

// elsewhere reports whether a webhook was last seen under another key pair.
func (v *visit) elsewhere(r registration) bool {
	return r.Credentials != "" && r.Credentials != v.conn.Fingerprint()
}

func (v *visit) deleted(p *pass, r *registration) {
	until := p.Now.Add(v.Overlap)
	r.AcceptedUntil = &metav1.Time{Time: until}
	v.attempts.forget(r.ID)
	p.WakeAt(until)
}

// sweep deletes webhooks that were registered for this object and are not in its status.
func (v *visit) sweep(ctx context.Context, p *pass, mine []mirror.Webhook) error {
	var stays error
	for _, remote := range mine {
		noted := slices.ContainsFunc(p.Object.Status.Registrations, func(r registration) bool {
			return r.WebhookID == remote.ID || r.WebhookID == "" && r.ID == remote.Name.Pair
		})
		if noted {
			continue
		}
		_, err := v.delete(ctx, p, remote.ID)
		if err != nil && !errors.Is(err, errNotDeleted) {
			return err
		}
		stays = cmp.Or(stays, err)
	}
	return stays
}

// delete deletes a webhook of this object at Smile, and reports whether it was there. That Smile acknowledges the deletion
// proves nothing; that it does not know the webhook afterwards does.
func (v *visit) delete(ctx context.Context, p *pass, webhookID string) (found bool, err error) {
	_, ok, err := v.ours(ctx, p, webhookID)
	if err != nil || !ok {
		return false, err
	}
	conn, known, err := v.connection()
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
	known.DropWebhook(webhookID)
	return true, nil
}
