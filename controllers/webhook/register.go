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
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/secretuse"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// maxAlive is how many webhooks an object has at Smile at most: the one that serves and the one that it replaces.
const maxAlive = 2

var (
	errReplacing = problem.NewNotReady(
		v1alpha1.ReasonProgressing,
		"the previous change is not finished: the webhook that it replaced stays until all events of it must have arrived",
	)
	errDiffers = problem.NewTransient(v1alpha1.ReasonInvalidResponse,
		"Smile does not show the new webhook, or shows it with other values than it was registered with")
)

// register ensures that exactly one webhook at Smile is as wanted. A registration never changes. For every change a new one is
// created and verified. Only then does the old one retire. It is deleted a while later, and its events are accepted for a while
// longer.
func (s *scope) register(ctx context.Context, run *run) error {
	run.WakeAfter(engine.Jitter(secretuse.Recheck))
	s.expire(run)
	if err := s.withdraw(ctx, run); err != nil {
		return err
	}
	if err := s.readPairs(ctx, run); err != nil {
		return err
	}
	if err := s.settle(ctx, run); err != nil {
		return err
	}
	w, err := s.want(ctx, run)
	if err == nil {
		s.undeclared = w.undeclared
		err = s.reach(ctx, run, w)
	}
	// What was replaced is deleted when its time has come, even if the replacement fails.
	if drained := s.drain(ctx, run); err == nil {
		err = drained
	}
	if err != nil {
		return err
	}
	err = s.storePairs(ctx, run)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) { // what is in use was stored before it was used
		run.WakeAfter(time.Second)
		return nil
	}
	return err
}

// reach brings the registrations to what is wanted.
func (s *scope) reach(ctx context.Context, run *run, w *wanted) error {
	s.correct(run, w)
	observed := s.observe(ctx, run, w)
	if observed != nil && !errors.Is(observed, errNotDeleted) {
		return observed
	}
	if err := s.serve(ctx, run, w); err != nil {
		return err
	}
	run.Object.Status.URL = w.shown
	return observed
}

// settle finds the outcome of the attempts to create a webhook whose outcome is unknown.
func (s *scope) settle(ctx context.Context, run *run) error {
	for _, r := range slices.Clone(run.Object.Status.Registrations) {
		if r.WebhookID != "" || !alive(r) {
			continue
		}
		since := s.r.attempts.unknown(r.ID, run.Now)
		if since.IsZero() {
			continue
		}
		settled := since.Add(smile.ListingLag)
		if wait := settled.Sub(run.Now); wait > 0 {
			return connection.ErrOutcomeUnknown.After(min(wait, secretuse.Recheck))
		}
		_, view, err := s.remote.Use()
		if err != nil {
			return err
		}
		listed, _, err := view.Webhooks(ctx, settled)
		if err != nil {
			return err
		}
		s.r.attempts.forget(r.ID)
		mine := mirror.WebhooksOf(listed, run.Object.UID)
		if i := slices.IndexFunc(mine, func(w mirror.Webhook) bool { return w.Name.Pair == r.ID }); i >= 0 {
			at(run, r.ID).WebhookID = mine[i].ID
			continue
		}
		s.drop(run, func(other registration) bool { return other.ID == r.ID })
	}
	return nil
}

// current returns the registration of what is wanted; nil if there is none whose pair is known.
func (s *scope) current(run *run, w *wanted) *registration {
	for i := range run.Object.Status.Registrations {
		r := &run.Object.Status.Registrations[i]
		if serving(*r) && r.Fingerprint == w.fingerprint && s.pairs[r.ID].ID != "" {
			return r
		}
	}
	return nil
}

// serve ensures that what is wanted is registered and verified, and retires what it replaces.
func (s *scope) serve(ctx context.Context, run *run, w *wanted) error {
	r := s.current(run, w)
	if r != nil && r.VerifiedAt != nil {
		retireOthers(run, r.ID)
		return nil
	}
	conn, err := s.remote.Connection()
	if err != nil {
		return err
	}
	if r == nil {
		if r, err = s.begin(ctx, run, w); err != nil {
			return err
		}
	}
	id, webhookID := r.ID, r.WebhookID
	if webhookID == "" {
		if webhookID, err = s.create(ctx, run, conn, w, id); err != nil {
			return err
		}
	}
	shown, ok, err := s.ours(ctx, run, webhookID)
	if err != nil {
		return err
	}
	if !ok || !same(shown, s.request(run, w, s.pairs[id])) {
		return errDiffers
	}
	at(run, id).VerifiedAt, at(run, id).Credentials = &metav1.Time{Time: run.Now}, conn.Fingerprint()
	retireOthers(run, id)
	return nil
}

// same reports whether Smile shows a webhook as it was requested. Smile may not show the secret.
func same(shown smile.Webhook, requested smile.NewWebhook) bool {
	secret := shown.Secret.Reveal()
	return shown.Active && shown.IncludePayload == requested.IncludePayload && shown.URL.Equal(requested.URL) &&
		requested.CoveredBy(shown.EventTypes) && (secret == "" || shown.Secret.Equal(requested.Secret))
}

// begin makes the pair of a new registration, or finds one that Smile has and the status has lost. Nothing is made before this
// process has read a whole listing.
func (s *scope) begin(ctx context.Context, run *run, w *wanted) (*registration, error) {
	conn, view, err := s.remote.Use()
	if err != nil {
		return nil, err
	}
	listed, _, err := view.Webhooks(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	for _, remote := range mirror.WebhooksOf(listed, run.Object.UID) {
		pair := s.pairs[remote.Name.Pair]
		if pair.ID != "" && at(run, pair.ID) == nil && remote.Is(s.request(run, w, pair)) {
			return s.add(run, w, pair, remote.ID), nil
		}
	}
	if err := conn.TurnToRegister(ctx); err != nil {
		return nil, err // before a pair is stored
	}
	if err := s.makeRoom(ctx, run); err != nil {
		return nil, err
	}
	pair := hook.Pair{ID: string(uuid.NewUUID()), Secret: w.secret}
	if w.url == "" {
		pair.Path = hook.NewPath()
	}
	s.r.attempts.set(pair.ID, time.Time{})
	return s.add(run, w, pair, ""), nil
}

// add adds the registration of a pair to the status.
func (s *scope) add(run *run, w *wanted, pair hook.Pair, webhookID string) *registration {
	r := registration{ID: pair.ID, URL: w.url, Fingerprint: w.fingerprint, WebhookID: webhookID, StartedAt: metav1.NewTime(run.Now)}
	if path := pair.Path.Reveal(); path != "" {
		r.PathHash = hook.HashPath(path)
	}
	s.pairs[pair.ID] = pair
	run.Object.Status.Registrations = append(run.Object.Status.Registrations, r)
	return at(run, pair.ID)
}

// makeRoom makes room for one more webhook, or returns how long to wait for it. It is called when no registration is as wanted.
// So a registration that was never verified is abandoned. A replaced webhook is deleted when its time has come, although no other
// one serves yet: otherwise it would block its replacement forever.
func (s *scope) makeRoom(ctx context.Context, run *run) error {
	s.abandon(run)
	count, oldest := 0, (*registration)(nil)
	for i := range run.Object.Status.Registrations {
		r := &run.Object.Status.Registrations[i]
		if !alive(*r) {
			continue
		}
		count++
		if r.RetiredAt != nil && (oldest == nil || r.RetiredAt.Before(oldest.RetiredAt)) {
			oldest = r
		}
	}
	switch {
	case count < maxAlive:
		return nil
	case oldest == nil:
		return errReplacing.After(secretuse.Recheck)
	}
	if left := oldest.RetiredAt.Add(s.r.Overlap).Sub(run.Now); left > 0 {
		return errReplacing.After(min(left, secretuse.Recheck))
	}
	return s.end(ctx, run, oldest)
}

// abandon gives up the registrations that were never verified. One whose webhook was certainly not created is removed. Others
// retire, because events of theirs may be under way.
func (s *scope) abandon(run *run) {
	s.drop(run, func(r registration) bool { return alive(r) && r.WebhookID == "" })
	for i := range run.Object.Status.Registrations {
		if r := &run.Object.Status.Registrations[i]; serving(*r) && r.VerifiedAt == nil {
			r.RetiredAt = &metav1.Time{Time: run.Now}
		}
	}
}

// create sends the call once, and returns the id of the webhook. Before that, it stores the pair and the intent, in a write
// that fails on a stale object. After an unknown outcome nothing is sent until a listing has shown it.
func (s *scope) create(
	ctx context.Context,
	run *run,
	conn *connection.Connection,
	w *wanted,
	id string,
) (webhookID string, err error) {
	if err := s.r.attempts.refusal(id, run.Now); err != nil {
		return "", err
	}
	if err := s.storePairs(ctx, run); err != nil {
		return "", err
	}
	if err := run.WriteIntent(ctx); err != nil {
		return "", err
	}
	if s.r.HeadStart != nil && at(run, id).PathHash != "" {
		if err := s.r.HeadStart(ctx); err != nil {
			s.drop(run, func(r registration) bool { return r.ID == id }) // nothing was sent
			return "", err
		}
	}
	s.r.attempts.set(id, s.r.Clock.Now())
	created, err := conn.CreateWebhook(ctx, s.request(run, w, s.pairs[id]))
	switch {
	case err == nil:
	case !smile.NotCreated(err):
		s.r.attempts.set(id, s.r.Clock.Now())
		return "", connection.ErrOutcomeUnknown.After(secretuse.Recheck).Because(err)
	case errors.Is(err, context.Canceled):
		s.drop(run, func(r registration) bool { return r.ID == id }) // the next process could not know that nothing was sent
		return "", err
	default:
		s.r.attempts.set(id, time.Time{})
		return "", s.r.attempts.refuse(id, run.Now, explained(err, w))
	}
	s.r.attempts.forget(id)
	at(run, id).WebhookID = created.ID
	recordCreation(run, conn, id)
	return created.ID, nil
}

// explained adds what Smile may refuse about a webhook to an error that says no more than that it is invalid.
func explained(err error, w *wanted) error {
	if !smile.IsInvalid(err) {
		return err
	}
	where := "spec.url"
	if w.url == "" {
		where = "the operator's --receiver-base-url"
	}
	return problem.NewInvalid(v1alpha1.ReasonInvalidSpec, "Smile refuses the webhook as invalid: check "+where+
		", which must be an https URL of a host that Smile can reach, and spec.eventTypes").Because(err)
}

// recordCreation records an event about why a webhook was created.
func recordCreation(run *run, conn *connection.Connection, id string) {
	reason, message := v1alpha1.ReasonWebhookCreated, "registered the webhook at Smile"
	others := slices.DeleteFunc(slices.Clone(run.Object.Status.Registrations), func(r registration) bool { return r.ID == id })
	same := func(r registration) bool { return r.Fingerprint == at(run, id).Fingerprint && !ofOtherKeys(r, conn) }
	switch {
	case slices.ContainsFunc(others, same):
		reason, message = v1alpha1.ReasonWebhookRepaired, "registered the webhook again: it, or its Secret, was changed or deleted"
	case len(others) > 0:
		reason, message = v1alpha1.ReasonWebhookReplaced, "registered another webhook in place of the previous one"
	}
	run.Event(corev1.EventTypeNormal, reason, "Register", message)
}

// retireOthers marks every other webhook as replaced.
func retireOthers(run *run, by string) {
	for i := range run.Object.Status.Registrations {
		if r := &run.Object.Status.Registrations[i]; r.ID != by && serving(*r) {
			r.RetiredAt = &metav1.Time{Time: run.Now}
		}
	}
}
