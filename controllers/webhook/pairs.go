package webhook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/secretuse"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// wanted is what is to be registered.
type wanted struct {
	// url that events go to, other than the operator's receiver; "" for that.
	url         string
	shown       string
	events      []smile.EventType
	payload     bool
	secret      smile.Sensitive[string]
	fingerprint string
}

func target(p *pass) output.Target {
	return output.Target{Kind: output.Secret, Name: hook.SecretName(p.Object.Name)}
}

// readPairs reads the Secret of the pairs. A Secret that is gone, or lost a pair, does not end what is registered: Smile
// still tells what it was registered with, and goes on signing with it until it is replaced.
func (v *visit) readPairs(ctx context.Context, p *pass) error {
	if err := v.openPairs(ctx, p); err != nil {
		return err
	}
	for _, r := range p.Object.Status.Registrations {
		v.kept = append(v.kept, r.ID)
	}
	lost := slices.DeleteFunc(slices.Clone(v.kept), func(id string) bool { return v.pairs[id].ID != "" && isOf(v.pairs[id], at(p, id)) })
	if len(lost) == 0 {
		return nil
	}
	return v.restore(ctx, p, lost)
}

// isOf reports whether a pair has the path that was registered.
func isOf(pair hook.Pair, r *registration) bool {
	path := pair.Path.Reveal()
	return path == "" && r.PathHash == "" || hook.HashPath(path) == r.PathHash
}

// correct gives the pair of what is wanted the secret that it was registered with, should somebody have edited it: equal
// fingerprints are of equal secrets.
func (v *visit) correct(p *pass, w *wanted) {
	for _, r := range p.Object.Status.Registrations {
		if pair := v.pairs[r.ID]; pair.ID != "" && r.Fingerprint == w.fingerprint {
			pair.Secret = w.secret
			v.pairs[r.ID] = pair
		}
	}
}

func (v *visit) openPairs(ctx context.Context, p *pass) (err error) {
	if v.stored, err = v.Outputs.Open(ctx, p.Object, target(p)); err != nil {
		return err
	}
	if v.stored.LeftBehind() {
		if !v.stored.HoldsOnly(hook.KeyPairs, hook.KeySecret, hook.KeyPrevious) {
			return v.stored.Conflict()
		}
		v.stored.TakeBack()
		v.takenBack = true
	}
	content := v.stored.Content()
	v.pairs = map[string]hook.Pair{}
	pairs, _ := hook.ParsePairs(content[hook.KeyPairs])
	for _, pair := range pairs {
		v.pairs[pair.ID] = pair
	}
	v.secret = string(content[hook.KeySecret])
	return nil
}

// restore brings lost pairs back from what Smile tells of their webhooks. A pair that cannot be had is of no use, and its
// webhook goes as soon as another serves.
func (v *visit) restore(ctx context.Context, p *pass, lost []string) error {
	for _, id := range lost {
		r := at(p, id)
		if r.WebhookID == "" || !alive(*r) {
			continue
		}
		remote, ok, err := v.ours(ctx, p, r.WebhookID)
		if err != nil {
			return err
		}
		if pair, told := pairOf(r, remote); ok && told {
			v.pairs[id] = pair
			continue
		}
		if r.RetiredAt == nil || r.RetiredAt.After(p.Now.Add(-v.Overlap)) {
			r.RetiredAt = &metav1.Time{Time: p.Now.Add(-v.Overlap)}
		}
	}
	return v.storePairs(ctx, p)
}

// pairOf gives the pair of a registration as Smile tells it, if it does.
func pairOf(r *registration, remote smile.Webhook) (hook.Pair, bool) {
	path := ""
	if r.PathHash != "" {
		path = pathOf(remote)
	}
	known := r.PathHash == "" || hook.HashPath(path) == r.PathHash
	return hook.Pair{ID: r.ID, Path: smile.NewSensitive(path), Secret: remote.Secret}, known && hook.UsableSecret(remote.Secret.Reveal())
}

func pathOf(remote smile.Webhook) string {
	url := remote.URL.Reveal()
	return url[strings.LastIndex(url, "/")+1:]
}

// storePairs writes the Secret: the pairs in use, and what applications need to prove events. It fails with a conflict
// when somebody has changed the Secret since it was read, to ask for another secret perhaps.
func (v *visit) storePairs(ctx context.Context, p *pass) error {
	var pairs []hook.Pair
	for id, pair := range v.pairs {
		if at(p, id) != nil || slices.Contains(v.kept, id) {
			pairs = append(pairs, pair)
		}
	}
	document, err := hook.MarshalPairs(pairs)
	if err != nil {
		return err
	}
	content := output.Content{hook.KeyPairs: document}
	if v.secret != "" && p.Object.Spec.SecretRef == nil {
		content[hook.KeySecret] = []byte(v.secret)
		if previous := v.previous(p); previous != "" {
			content[hook.KeyPrevious] = []byte(previous)
		}
	}
	p.Object.Status.SecretName = target(p).Name
	if _, err = v.Outputs.Write(ctx, p.Object, v.stored, content, nil); err != nil {
		return err
	}
	if v.takenBack {
		v.takenBack = false
		p.Event(corev1.EventTypeNormal, v1alpha1.ReasonOutputTakenBack, "Write",
			"took back the Secret of the webhook's pairs, which a deleted object has left behind; its generated secret stays in use")
	}
	return nil
}

// previous is the newest secret, other than the present one, that events may still be signed with.
func (v *visit) previous(p *pass) string {
	found, since := "", metav1.Time{}
	for _, r := range p.Object.Status.Registrations {
		secret := v.pairs[r.ID].Secret.Reveal()
		if secret != "" && secret != v.secret && (found == "" || since.Before(&r.StartedAt)) {
			found, since = secret, r.StartedAt
		}
	}
	return found
}

// want finds out what is to be registered.
func (v *visit) want(ctx context.Context, p *pass) (*wanted, error) {
	spec := p.Object.Spec
	w := &wanted{payload: spec.IncludePayload, shown: spec.URL}
	for _, event := range spec.EventTypes {
		w.events = append(w.events, smile.EventType(event))
	}
	slices.Sort(w.events)
	var where string
	switch {
	case spec.URL != "":
		spelled, reason := v.Policy.Check(spec.URL)
		if reason != "" {
			return nil, problem.NewInvalid(v1alpha1.ReasonWebhookURLNotAllowed, "spec.url: "+reason).After(soon)
		}
		w.url, w.shown, where = spelled, spelled, spelled
	case v.Policy.Receives():
		w.shown, where = v.Policy.OwnShown(), v.Policy.Own("")
	default:
		return nil, problem.NewInvalid(v1alpha1.ReasonReceiverNotConfigured,
			"this operator has no receiver of its own: start it with --receiver-bind-address and --receiver-base-url, or set spec.url").After(soon)
	}
	secret, err := v.wantedSecret(ctx, p)
	if err != nil {
		return nil, err
	}
	w.secret = smile.NewSensitive(secret)
	parts := [][]byte{[]byte(where), []byte(secret), fmt.Append(nil, w.payload)}
	for _, event := range w.events {
		parts = append(parts, []byte(event))
	}
	w.fingerprint = v.Identity.Fingerprint("webhook", parts...)
	if v.undeclared && !isRegistered(p, w) {
		return nil, secretOf(p).Refusal()
	}
	return w, nil
}

// wantedSecret is the one that the spec names, else the one in the Secret of the pairs, else a new one.
func (v *visit) wantedSecret(ctx context.Context, p *pass) (string, error) {
	ref := p.Object.Spec.SecretRef
	switch {
	case ref != nil && ref.Name == target(p).Name:
		return "", problem.NewInvalid(v1alpha1.ReasonSecretInvalid,
			"spec.secretRef names the Secret that the operator makes for this object: leave out spec.secretRef, and the secret that it holds is used").After(soon)
	case ref != nil:
	case v.secret == "":
		v.secret = hook.NewSecret().Reveal()
		return v.secret, v.storePairs(ctx, p)
	case !hook.UsableSecret(v.secret):
		return "", unusable(target(p).Name, hook.KeySecret, "that status.secretName names", ", or not have it, and another one is generated")
	default:
		return v.secret, nil
	}
	return v.namedSecret(ctx, p)
}

// secretOf is the Secret that spec.secretRef names.
func secretOf(p *pass) secretuse.Reference {
	return secretuse.Reference{
		Namespace: p.Object.Namespace, Name: p.Object.Spec.SecretRef.Name, Field: "spec.secretRef", Use: secretuse.WebhookSecret,
	}
}

// namedSecret is the value that spec.secretRef names. Defects of a value that may not be used are not reported, because
// that would reveal something about it.
func (v *visit) namedSecret(ctx context.Context, p *pass) (string, error) {
	secret, err := secretOf(p).Read(ctx, v.Secrets)
	if err != nil {
		return "", err
	}
	v.undeclared = !secretuse.Permitted(secret.Annotations, secretuse.WebhookSecret)
	ref := p.Object.Spec.SecretRef
	value := string(secret.Data[ref.Key])
	switch {
	case hook.UsableSecret(value):
		return value, nil
	case v.undeclared:
		return "", secretOf(p).Refusal()
	default:
		return "", unusable(ref.Name, ref.Key, "that spec.secretRef names", "")
	}
}

// isRegistered reports whether what is wanted was registered at Smile for this object before. The fingerprint is keyed, so no
// status can be forged for a value that is not known.
func isRegistered(p *pass, w *wanted) bool {
	return slices.ContainsFunc(p.Object.Status.Registrations, func(r registration) bool {
		return r.WebhookID != "" && r.Fingerprint == w.fingerprint
	})
}

// checkSecretUse warns of a secret that stays in use although its Secret does not permit that.
func (v *visit) checkSecretUse(_ context.Context, p *pass) (engine.Outcome, error) {
	if !v.undeclared {
		return engine.Absent, nil
	}
	return engine.Warning(v1alpha1.ReasonSecretUseNotPermitted, "Register", secretOf(p).Warning()), nil
}

func unusable(name, key, which, otherwise string) error {
	return problem.NewInvalid(v1alpha1.ReasonSecretInvalid,
		fmt.Sprintf("the Secret %q %s must hold %d to %d printable characters without spaces under the key %q%s",
			name, which, hook.MinSecretLength, hook.MaxSecretLength, key, otherwise)).After(soon)
}

// request is what a pair is registered with.
func (v *visit) request(p *pass, w *wanted, pair hook.Pair) smile.NewWebhook {
	url := w.url
	if url == "" {
		url = v.Policy.Own(pair.Path.Reveal())
	}
	return smile.NewWebhook{
		Name: hook.Name{UID: p.Object.UID, Pair: pair.ID}.String(), URL: smile.NewSensitive(url),
		EventTypes: w.events, IncludePayload: w.payload, Secret: pair.Secret,
	}
}
