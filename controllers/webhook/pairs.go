package webhook

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/smile"
)

func target(run *run) output.Target {
	return output.Target{Kind: output.Secret, Name: hook.SecretName(run.Object.Name)}
}

// readPairs reads the Secret of the pairs, and restores lost pairs. A lost pair does not end its registration: Smile still
// shows the pair, and signs with it until the webhook is replaced.
func (s *scope) readPairs(ctx context.Context, run *run) error {
	if err := s.openPairs(ctx, run); err != nil {
		return err
	}
	for _, r := range run.Object.Status.Registrations {
		s.kept = append(s.kept, r.ID)
	}
	lost := slices.DeleteFunc(
		slices.Clone(s.kept),
		func(id string) bool { return s.pairs[id].ID != "" && isOf(s.pairs[id], at(run, id)) },
	)
	if len(lost) == 0 {
		return nil
	}
	return s.restore(ctx, run, lost)
}

// isOf reports whether a pair has the path that was registered.
func isOf(pair hook.Pair, r *registration) bool {
	path := pair.Path.Reveal()
	return path == "" && r.PathHash == "" || hook.HashPath(path) == r.PathHash
}

// correct restores the secret of the pair that is registered as wanted, in case somebody has edited it: equal fingerprints mean
// equal secrets.
func (s *scope) correct(run *run, w *wanted) {
	for _, r := range run.Object.Status.Registrations {
		if pair := s.pairs[r.ID]; pair.ID != "" && r.Fingerprint == w.fingerprint {
			pair.Secret = w.secret
			s.pairs[r.ID] = pair
		}
	}
}

// openPairs reads the Secret of the pairs. One that a deleted object has left behind is taken back if it holds only pairs.
func (s *scope) openPairs(ctx context.Context, run *run) (err error) {
	if s.stored, err = s.r.Outputs.Open(ctx, run.Object, target(run)); err != nil {
		return err
	}
	if s.stored.LeftBehind() {
		if !s.stored.HoldsOnly(hook.KeyPairs, hook.KeySecret, hook.KeyPrevious) {
			return s.stored.Conflict()
		}
		s.stored.TakeBack()
		s.takenBack = true
	}
	content := s.stored.Content()
	s.pairs = map[string]hook.Pair{}
	pairs, _ := hook.ParsePairs(content[hook.KeyPairs])
	for _, pair := range pairs {
		s.pairs[pair.ID] = pair
	}
	s.secret = string(content[hook.KeySecret])
	return nil
}

// restore restores lost pairs from what Smile shows of their webhooks. A webhook whose pair cannot be restored is deleted as
// soon as another one serves.
func (s *scope) restore(ctx context.Context, run *run, lost []string) error {
	for _, id := range lost {
		r := at(run, id)
		if r.WebhookID == "" || !alive(*r) {
			continue
		}
		remote, ok, err := s.ours(ctx, run, r.WebhookID)
		if err != nil {
			return err
		}
		if pair, shown := pairOf(r, remote); ok && shown {
			s.pairs[id] = pair
			continue
		}
		if r.RetiredAt == nil || r.RetiredAt.After(run.Now.Add(-s.r.Overlap)) {
			r.RetiredAt = &metav1.Time{Time: run.Now.Add(-s.r.Overlap)}
		}
	}
	return s.storePairs(ctx, run)
}

// pairOf returns the pair of a registration as Smile shows it. shown is false if Smile shows another path, or no usable secret.
func pairOf(r *registration, remote smile.Webhook) (pair hook.Pair, shown bool) {
	path := ""
	if r.PathHash != "" {
		path = pathOf(remote)
	}
	samePath := r.PathHash == "" || hook.HashPath(path) == r.PathHash
	pair = hook.Pair{ID: r.ID, Path: smile.NewSensitive(path), Secret: remote.Secret}
	return pair, samePath && hook.UsableSecret(remote.Secret.Reveal())
}

func pathOf(remote smile.Webhook) string {
	url := remote.URL.Reveal()
	return url[strings.LastIndex(url, "/")+1:]
}

// storePairs writes the Secret: the pairs in use, and the secrets by which applications verify events. It fails with a conflict
// if somebody has changed the Secret since it was read, perhaps to request another secret.
func (s *scope) storePairs(ctx context.Context, run *run) error {
	var pairs []hook.Pair
	for id, pair := range s.pairs {
		if at(run, id) != nil || slices.Contains(s.kept, id) {
			pairs = append(pairs, pair)
		}
	}
	document, err := hook.MarshalPairs(pairs)
	if err != nil {
		return err
	}
	content := output.Content{hook.KeyPairs: document}
	if s.secret != "" && run.Object.Spec.SecretRef == nil {
		content[hook.KeySecret] = []byte(s.secret)
		if previous := s.previous(run); previous != "" {
			content[hook.KeyPrevious] = []byte(previous)
		}
	}
	run.Object.Status.SecretName = target(run).Name
	if _, err = s.r.Outputs.Write(ctx, run.Object, s.stored, content, nil); err != nil {
		return err
	}
	if s.takenBack {
		s.takenBack = false
		run.Event(corev1.EventTypeNormal, v1alpha1.ReasonOutputTakenBack, "Write",
			"took back the Secret of the webhook's pairs, which a deleted object had left behind; its generated secret stays in use")
	}
	return nil
}

// previous returns the newest secret, other than the present one, that events may still be signed with.
func (s *scope) previous(run *run) string {
	found, since := "", metav1.Time{}
	for _, r := range run.Object.Status.Registrations {
		secret := s.pairs[r.ID].Secret.Reveal()
		if secret != "" && secret != s.secret && (found == "" || since.Before(&r.StartedAt)) {
			found, since = secret, r.StartedAt
		}
	}
	return found
}
