package webhook

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// observe holds what Smile lists against what was registered, when that is due: what was changed or deleted there is
// registered anew, and what is ours but was never noted goes.
func (v *visit) observe(ctx context.Context, p *pass, w *wanted) error {
	if problem.Is(v.connErr, v1alpha1.ReasonConnectionNotFound) {
		return v.connErr
	}
	if v.connErr != nil {
		return nil //nolint:nilerr // what is registered stays as it is meanwhile
	}
	due, look := v.due(p)
	p.WakeAt(due.Next)
	if !look {
		return nil
	}
	_, known, err := v.connection()
	if err != nil {
		return err
	}
	listed, readAt, err := known.Webhooks(ctx, due.Last)
	if err != nil {
		return err
	}
	mine := mirror.WebhooksOf(listed, p.Object.UID)
	if err := v.compareAll(ctx, p, w, mine, readAt); err != nil {
		return err
	}
	if err := v.sweep(ctx, p, mine); err != nil {
		return err
	}
	p.Object.Status.LastHandledRequest = engine.Echo(p.Object, v1alpha1.AnnotationRequestedAt)
	return nil
}

// compareAll holds the registrations that a listing must show against it.
func (v *visit) compareAll(ctx context.Context, p *pass, w *wanted, mine []mirror.Webhook, readAt time.Time) error {
	for i := range p.Object.Status.Registrations {
		r := &p.Object.Status.Registrations[i]
		if !alive(*r) || r.WebhookID == "" || readAt.Sub(r.StartedAt.Time) < settleTime {
			continue
		}
		if err := v.compare(ctx, p, w, r, mine); err != nil {
			return err
		}
	}
	return nil
}

func (v *visit) compare(ctx context.Context, p *pass, w *wanted, r *registration, mine []mirror.Webhook) error {
	found := slices.IndexFunc(mine, func(listed mirror.Webhook) bool { return listed.ID == r.WebhookID })
	if found < 0 {
		return v.missed(ctx, p, r)
	}
	r.Credentials = v.conn.Fingerprint()
	if serving(*r) && r.Fingerprint == w.fingerprint && !mine[found].Is(v.request(p, w, v.pairs[r.ID])) {
		r.RetiredAt = &metav1.Time{Time: p.Now}
	}
	return nil
}

// missed asks about a webhook that a listing lacks. What it sent before may still be under way.
func (v *visit) missed(ctx context.Context, p *pass, r *registration) error {
	remote, ok, err := v.ours(ctx, p, r.WebhookID)
	switch {
	case err != nil:
		return err
	case !ok:
		v.notFound(p, r)
	case serving(*r) && renamed(remote):
		r.RetiredAt = &metav1.Time{Time: p.Now}
	}
	return nil
}

func renamed(remote smile.Webhook) bool {
	_, ok := hook.ParseName(remote.Name)
	return !ok
}

// ours gives a webhook at Smile if it is there and was registered for this object. Its name shows that, or its path or
// secret when somebody has renamed it: an id in a status alone opens nothing.
func (v *visit) ours(ctx context.Context, p *pass, webhookID string) (remote smile.Webhook, ok bool, err error) {
	conn, _, err := v.connection()
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
	if name, ok := hook.ParseName(remote.Name); ok || v.paired(remote) {
		return remote, !ok || name.UID == p.Object.UID, nil
	}
	p.Event(corev1.EventTypeWarning, v1alpha1.ReasonOrphaned, "Register",
		"a webhook of this object was renamed at Smile so that it cannot be told from others: delete it there by hand")
	return remote, false, nil
}

// paired tells whether a webhook has the path or the secret of one of the pairs.
func (v *visit) paired(remote smile.Webhook) bool {
	for _, pair := range v.pairs {
		if path := pair.Path.Reveal(); path != "" && path == pathOf(remote) || pair.Secret.Equal(remote.Secret) {
			return true
		}
	}
	return false
}

// provable reads what a webhook that was renamed is known by, if it can be had.
func (v *visit) provable(ctx context.Context, p *pass) error {
	if v.pairs != nil {
		return nil
	}
	err := v.openPairs(ctx, p)
	if problem.Is(err, v1alpha1.ReasonOutputConflict) {
		return nil
	}
	return err
}

// drain deletes the webhooks that were replaced long enough ago, once another is proven.
func (v *visit) drain(ctx context.Context, p *pass) error {
	if !slices.ContainsFunc(p.Object.Status.Registrations, func(r registration) bool { return serving(r) && r.VerifiedAt != nil }) {
		return nil
	}
	v.drop(p, func(r registration) bool { return alive(r) && r.RetiredAt != nil && r.WebhookID == "" })
	return v.endAll(ctx, p, func(r registration) bool {
		if r.RetiredAt == nil {
			return false
		}
		due := r.RetiredAt.Add(v.Overlap)
		if due.After(p.Now) {
			p.WakeAt(due)
		}
		return !due.After(p.Now)
	})
}

// withdraw stops sending events to where they may no longer be sent, whatever is wanted instead and whether it can be had.
func (v *visit) withdraw(ctx context.Context, p *pass) error {
	refused := func(r registration) bool {
		_, reason := v.Policy.Check(r.URL)
		return r.URL != "" && reason != "" && alive(r) && r.WebhookID != ""
	}
	if !slices.ContainsFunc(p.Object.Status.Registrations, refused) {
		return nil
	}
	if err := v.provable(ctx, p); err != nil {
		return err
	}
	shown := func(r registration) bool { return refused(r) && r.URL == p.Object.Status.URL }
	before := slices.ContainsFunc(p.Object.Status.Registrations, shown)
	err := v.endAll(ctx, p, refused)
	if before && !slices.ContainsFunc(p.Object.Status.Registrations, shown) {
		p.Object.Status.URL = ""
	}
	return err
}

// unregister deletes everything that was registered. A creation whose outcome is unknown is settled first. What the
// status does not tell of, because it was lost, a listing does; that none can be made holds up nothing where nothing is
// known to be registered.
func (v *visit) unregister(ctx context.Context, p *pass) error {
	v.conn, v.connErr = v.Connections.ForUndo(ctx, p.Object.Namespace, p.Object.Spec.ConnectionRef)
	if !slices.ContainsFunc(p.Object.Status.Registrations, alive) && v.connErr != nil {
		return nil //nolint:nilerr // see above
	}
	if err := v.provable(ctx, p); err != nil {
		return err
	}
	if err := v.settle(ctx, p); err != nil {
		return err
	}
	stays := v.endAll(ctx, p, func(registration) bool { return true })
	if stays != nil && !errors.Is(stays, errNotDeleted) {
		return stays
	}
	_, known, err := v.connection()
	if err != nil {
		return err
	}
	listed, _, err := known.Webhooks(ctx, time.Time{})
	if err == nil {
		err = v.sweep(ctx, p, mirror.WebhooksOf(listed, p.Object.UID))
	}
	return cmp.Or(err, stays)
}
