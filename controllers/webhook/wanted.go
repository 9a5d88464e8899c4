package webhook

import (
	"context"
	"fmt"
	"slices"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/secretuse"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// wanted is what must be registered.
type wanted struct {
	// url that events are sent to; "" for the operator's receiver.
	url string
	// shown is the URL that the status shows.
	shown       string
	events      []smile.EventType
	payload     bool
	secret      smile.Sensitive[string]
	fingerprint string
	// undeclared is true if the Secret that spec.secretRef names does not permit that its value is registered.
	undeclared bool
}

// want returns what must be registered.
func (s *scope) want(ctx context.Context, run *run) (*wanted, error) {
	spec := run.Object.Spec
	w := &wanted{payload: spec.IncludePayload, shown: spec.URL}
	for _, event := range spec.EventTypes {
		w.events = append(w.events, smile.EventType(event))
	}
	slices.Sort(w.events)
	var where string
	switch {
	case spec.URL != "":
		spelled, reason := s.r.Policy.Check(spec.URL)
		if reason != "" {
			return nil, problem.NewInvalid(v1alpha1.ReasonWebhookURLNotAllowed, "spec.url: "+reason).After(secretuse.Recheck)
		}
		w.url, w.shown, where = spelled, spelled, spelled
	case s.r.Policy.Receives():
		w.shown, where = s.r.Policy.OwnShown(), s.r.Policy.Own("")
	default:
		return nil, problem.NewInvalid(v1alpha1.ReasonReceiverNotConfigured,
			"this operator has no receiver of its own: start it with --receiver-bind-address and --receiver-base-url, or set spec.url").
			After(secretuse.Recheck)
	}
	secret, permitted, err := s.wantedSecret(ctx, run)
	if err != nil {
		return nil, err
	}
	w.secret, w.undeclared = smile.NewSensitive(secret), !permitted
	parts := [][]byte{[]byte(where), []byte(secret), fmt.Append(nil, w.payload)}
	for _, event := range w.events {
		parts = append(parts, []byte(event))
	}
	w.fingerprint = s.r.Identity.Fingerprint("webhook", parts...)
	if w.undeclared && !isRegistered(run, w) {
		return nil, secretOf(run).Refusal()
	}
	return w, nil
}

// wantedSecret returns the secret that the spec names, else the one in the Secret of the pairs, else a new one. It also reports
// whether the secret may be registered.
func (s *scope) wantedSecret(ctx context.Context, run *run) (secret string, permitted bool, err error) {
	ref := run.Object.Spec.SecretRef
	switch {
	case ref != nil && ref.Name == target(run).Name:
		return "", false, problem.NewInvalid(v1alpha1.ReasonSecretInvalid,
			"spec.secretRef names the Secret that the operator creates for this object: omit spec.secretRef to use the secret in it").
			After(secretuse.Recheck)
	case ref != nil:
		return s.namedSecret(ctx, run)
	case s.secret == "":
		s.secret = hook.NewSecret().Reveal()
		return s.secret, true, s.storePairs(ctx, run)
	case !hook.UsableSecret(s.secret):
		return "", false, unusable(
			target(run).Name,
			hook.KeySecret,
			"that status.secretName names",
			"; if you delete the key, the operator generates another secret",
		)
	default:
		return s.secret, true, nil
	}
}

// secretOf is the Secret that spec.secretRef names.
func secretOf(run *run) secretuse.Reference {
	return secretuse.Reference{
		Namespace: run.Object.Namespace, Name: run.Object.Spec.SecretRef.Name, Field: "spec.secretRef", Use: secretuse.WebhookSecret,
	}
}

// namedSecret returns the value that spec.secretRef names, and whether its Secret permits the use. What is wrong with a value
// that may not be used is not reported, because that would reveal something about it.
func (s *scope) namedSecret(ctx context.Context, run *run) (value string, permitted bool, err error) {
	secret, err := secretOf(run).Read(ctx, s.r.Secrets)
	if err != nil {
		return "", false, err
	}
	permitted = secretuse.Permitted(secret.Annotations, secretuse.WebhookSecret)
	ref := run.Object.Spec.SecretRef
	value = string(secret.Data[ref.Key])
	switch {
	case hook.UsableSecret(value):
		return value, permitted, nil
	case !permitted:
		return "", false, secretOf(run).Refusal()
	default:
		return "", false, unusable(ref.Name, ref.Key, "that spec.secretRef names", "")
	}
}

// isRegistered reports whether this configuration was registered at Smile for this object before. The fingerprint is keyed, so a
// status cannot be forged without the value.
func isRegistered(run *run, w *wanted) bool {
	return slices.ContainsFunc(run.Object.Status.Registrations, func(r registration) bool {
		return r.WebhookID != "" && r.Fingerprint == w.fingerprint
	})
}

// checkSecretUse warns of a secret that stays in use although its Secret does not permit that.
func (s *scope) checkSecretUse(_ context.Context, run *run) (engine.Outcome, error) {
	if !s.undeclared {
		return engine.Absent, nil
	}
	return engine.Warning(v1alpha1.ReasonSecretUseNotPermitted, "Register", secretOf(run).Warning()), nil
}

func unusable(name, key, which, otherwise string) error {
	return problem.NewInvalid(v1alpha1.ReasonSecretInvalid,
		fmt.Sprintf("the Secret %q %s must hold %d to %d printable characters without spaces under the key %q%s",
			name, which, hook.MinSecretLength, hook.MaxSecretLength, key, otherwise)).After(secretuse.Recheck)
}

// request returns the webhook that a pair is registered as.
func (s *scope) request(run *run, w *wanted, pair hook.Pair) smile.NewWebhook {
	url := w.url
	if url == "" {
		url = s.r.Policy.Own(pair.Path.Reveal())
	}
	return smile.NewWebhook{
		Name: hook.Name{UID: run.Object.UID, Pair: pair.ID}.String(), URL: smile.NewSensitive(url),
		EventTypes: w.events, IncludePayload: w.payload, Secret: pair.Secret,
	}
}
