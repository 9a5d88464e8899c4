package webhook

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// settleTime is how long a listing at Smile may lag behind a creation: one that starts later shows every webhook that an
// attempt before it has created.
const settleTime = 2 * time.Minute

// most is how many webhooks an object has at Smile at most: the one that serves and the one that it replaces.
const most = 2

var (
	errUnknown = problem.NewNotReady(v1alpha1.ReasonCreateOutcomeUnknown,
		"a call that creates was interrupted and may have succeeded: waiting for a listing at Smile that shows it; nothing is created meanwhile")
	errReplacing = problem.NewNotReady(v1alpha1.ReasonProgressing,
		"the change before this one is still being carried out: the webhook that it replaced is kept until nothing of it can be under way")
	errOtherwise = problem.NewTransient(v1alpha1.ReasonInvalidResponse,
		"Smile shows the new webhook otherwise than it was registered, or not at all")
)

// register makes sure that exactly one webhook at Smile is what is wanted. A registration never changes: whatever does,
// a new one is made and proven, and only then the old one retires, is deleted a while later, and its events are taken for
// a while longer.
func (v *visit) register(ctx context.Context, p *pass) error {
	p.WakeAfter(engine.Jitter(soon))
	v.expire(p)
	for _, step := range []func(context.Context, *pass) error{v.withdraw, v.readPairs, v.settle} {
		if err := step(ctx, p); err != nil {
			return err
		}
	}
	w, err := v.want(ctx, p)
	if err == nil {
		err = v.pursue(ctx, p, w)
	}
	// What was replaced goes when its time has come, also while what is wanted now cannot be had.
	if drained := v.drain(ctx, p); err == nil {
		err = drained
	}
	if err != nil {
		return err
	}
	err = v.storePairs(ctx, p)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) { // what is in use was stored before it was used
		p.WakeAfter(time.Second)
		return nil
	}
	return err
}

func (v *visit) pursue(ctx context.Context, p *pass, w *wanted) error {
	v.correct(p, w)
	observed := v.observe(ctx, p, w)
	if observed != nil && !errors.Is(observed, errNotDeleted) {
		return observed
	}
	if err := v.serve(ctx, p, w); err != nil {
		return err
	}
	p.Object.Status.URL = w.shown
	return observed
}

// settle finds out what became of tries to create whose outcome is unknown.
func (v *visit) settle(ctx context.Context, p *pass) error {
	for _, r := range slices.Clone(p.Object.Status.Registrations) {
		if r.WebhookID != "" || !alive(r) {
			continue
		}
		since := v.attempts.unknown(r.ID, p.Now)
		if since.IsZero() {
			continue
		}
		settled := since.Add(settleTime)
		if wait := settled.Sub(p.Now); wait > 0 {
			return errUnknown.After(min(wait, soon))
		}
		_, known, err := v.connection()
		if err != nil {
			return err
		}
		listed, _, err := known.Webhooks(ctx, settled)
		if err != nil {
			return err
		}
		v.attempts.forget(r.ID)
		mine := mirror.WebhooksOf(listed, p.Object.UID)
		if i := slices.IndexFunc(mine, func(w mirror.Webhook) bool { return w.Name.Pair == r.ID }); i >= 0 {
			at(p, r.ID).WebhookID = mine[i].ID
			continue
		}
		v.drop(p, func(other registration) bool { return other.ID == r.ID })
	}
	return nil
}

// current is the registration of what is wanted, if there is one whose pair is known.
func (v *visit) current(p *pass, w *wanted) *registration {
	for i := range p.Object.Status.Registrations {
		r := &p.Object.Status.Registrations[i]
		if serving(*r) && r.Fingerprint == w.fingerprint && v.pairs[r.ID].ID != "" {
			return r
		}
	}
	return nil
}

// serve makes sure that what is wanted is registered and proven, and retires what it replaces.
func (v *visit) serve(ctx context.Context, p *pass, w *wanted) error {
	r := v.current(p, w)
	if r != nil && r.VerifiedAt != nil {
		v.retire(p, r.ID)
		return nil
	}
	if v.connErr != nil {
		return v.connErr
	}
	if r == nil {
		var err error
		if r, err = v.begin(ctx, p, w); err != nil {
			return err
		}
	}
	id := r.ID
	if r.WebhookID == "" {
		if err := v.create(ctx, p, w, id); err != nil {
			return err
		}
	}
	shown, ok, err := v.ours(ctx, p, at(p, id).WebhookID)
	if err != nil {
		return err
	}
	if !ok || !same(shown, v.request(p, w, v.pairs[id])) {
		return errOtherwise
	}
	at(p, id).VerifiedAt, at(p, id).Credentials = &metav1.Time{Time: p.Now}, v.conn.Fingerprint()
	v.retire(p, id)
	return nil
}

func same(shown smile.Webhook, asked smile.NewWebhook) bool {
	secret := shown.Secret.Reveal()
	return shown.Active && shown.IncludePayload == asked.IncludePayload && shown.URL.Equal(asked.URL) &&
		asked.CoveredBy(shown.EventTypes) && (secret == "" || shown.Secret.Equal(asked.Secret))
}

// begin makes the pair of a new registration, or takes up one that Smile has and the status has lost. Nothing is made
// before this process has seen a whole listing.
func (v *visit) begin(ctx context.Context, p *pass, w *wanted) (*registration, error) {
	conn, known, err := v.connection()
	if err != nil {
		return nil, err
	}
	listed, _, err := known.Webhooks(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	for _, remote := range mirror.WebhooksOf(listed, p.Object.UID) {
		pair := v.pairs[remote.Name.Pair]
		if pair.ID != "" && at(p, pair.ID) == nil && remote.Is(v.request(p, w, pair)) {
			return v.note(p, w, pair, remote.ID), nil
		}
	}
	if err := conn.Turn(smile.WithLane(ctx, smile.LaneCreate)); err != nil {
		return nil, err // before a pair is stored
	}
	if err := v.makeRoom(ctx, p); err != nil {
		return nil, err
	}
	pair := hook.Pair{ID: string(uuid.NewUUID()), Secret: w.secret}
	if w.url == "" {
		pair.Path = hook.NewPath()
	}
	v.attempts.set(pair.ID, time.Time{})
	return v.note(p, w, pair, ""), nil
}

func (v *visit) note(p *pass, w *wanted, pair hook.Pair, webhookID string) *registration {
	r := registration{ID: pair.ID, URL: w.url, Fingerprint: w.fingerprint, WebhookID: webhookID, StartedAt: metav1.NewTime(p.Now)}
	if path := pair.Path.Reveal(); path != "" {
		r.PathHash = hook.HashPath(path)
	}
	v.pairs[pair.ID] = pair
	p.Object.Status.Registrations = append(p.Object.Status.Registrations, r)
	return at(p, pair.ID)
}

// makeRoom makes room for one more webhook, or tells how long to wait for it. Here nothing that serves is what is
// wanted, so that what was begun and never proven is given up, and what was replaced goes when its time has come although
// nothing has taken over: kept, it would be in the way of that for ever.
func (v *visit) makeRoom(ctx context.Context, p *pass) error {
	v.abandon(p)
	living, oldest := 0, (*registration)(nil)
	for i := range p.Object.Status.Registrations {
		r := &p.Object.Status.Registrations[i]
		if !alive(*r) {
			continue
		}
		living++
		if r.RetiredAt != nil && (oldest == nil || r.RetiredAt.Before(oldest.RetiredAt)) {
			oldest = r
		}
	}
	switch {
	case living < most:
		return nil
	case oldest == nil:
		return errReplacing.After(soon)
	}
	if left := oldest.RetiredAt.Add(v.Overlap).Sub(p.Now); left > 0 {
		return errReplacing.After(min(left, soon))
	}
	return v.end(ctx, p, oldest)
}

// abandon gives up what was begun and never proven. What was certainly not made is forgotten; what was made retires, as
// something that it has sent may be under way.
func (v *visit) abandon(p *pass) {
	v.drop(p, func(r registration) bool { return alive(r) && r.WebhookID == "" })
	for i := range p.Object.Status.Registrations {
		if r := &p.Object.Status.Registrations[i]; serving(*r) && r.VerifiedAt == nil {
			r.RetiredAt = &metav1.Time{Time: p.Now}
		}
	}
}

// create sends the call, once: the pair is stored before it, and so is the intent, in a write that fails on a stale
// object. After an unknown outcome nothing is sent until a listing has told.
func (v *visit) create(ctx context.Context, p *pass, w *wanted, id string) error {
	if err := v.attempts.refusal(id, p.Now); err != nil {
		return err
	}
	if err := v.storePairs(ctx, p); err != nil {
		return err
	}
	if err := p.WriteIntent(ctx); err != nil {
		return err
	}
	if v.HeadStart != nil && at(p, id).PathHash != "" {
		if err := v.HeadStart(ctx); err != nil {
			v.drop(p, func(r registration) bool { return r.ID == id }) // nothing was sent
			return err
		}
	}
	v.attempts.set(id, v.Clock.Now())
	created, err := v.conn.CreateWebhook(ctx, v.request(p, w, v.pairs[id]))
	switch {
	case err == nil:
	case !smile.NotCreated(err):
		v.attempts.set(id, v.Clock.Now())
		return errUnknown.After(soon).Because(err)
	case errors.Is(err, context.Canceled):
		v.drop(p, func(r registration) bool { return r.ID == id }) // the next process could not know that nothing was sent
		return err
	default:
		v.attempts.set(id, time.Time{})
		return v.attempts.refuse(id, p.Now, explained(err, w))
	}
	v.attempts.forget(id)
	at(p, id).WebhookID = created.ID
	v.tell(p, id)
	return nil
}

// explained names what Smile may not like of a webhook.
func explained(err error, w *wanted) error {
	if !smile.IsInvalid(err) {
		return err
	}
	where := "spec.url"
	if w.url == "" {
		where = "the operator's --receiver-base-url"
	}
	return problem.NewInvalid(v1alpha1.ReasonInvalidSpec, "Smile refuses the webhook as invalid: check "+where+
		", which must be https and of a host that Smile can reach, and spec.eventTypes").Because(err)
}

func (v *visit) tell(p *pass, id string) {
	reason, message := v1alpha1.ReasonWebhookCreated, "registered the webhook at Smile"
	others := slices.DeleteFunc(slices.Clone(p.Object.Status.Registrations), func(r registration) bool { return r.ID == id })
	switch {
	case slices.ContainsFunc(others, func(r registration) bool { return r.Fingerprint == at(p, id).Fingerprint && !v.elsewhere(r) }):
		reason, message = v1alpha1.ReasonWebhookRepaired, "registered the webhook again: it, or its Secret, was changed or deleted"
	case len(others) > 0:
		reason, message = v1alpha1.ReasonWebhookReplaced, "registered another webhook in place of the one before"
	}
	p.Event(corev1.EventTypeNormal, reason, "Register", message)
}

// retire marks every other webhook as replaced.
func (v *visit) retire(p *pass, by string) {
	for i := range p.Object.Status.Registrations {
		if r := &p.Object.Status.Registrations[i]; r.ID != by && serving(*r) {
			r.RetiredAt = &metav1.Time{Time: p.Now}
		}
	}
}
