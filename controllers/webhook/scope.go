package webhook

import (
	"context"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
)

type run = engine.Run[*v1alpha1.SmileWebhookSubscription]

// scope lives for one reconcile. It holds what its steps have found.
type scope struct {
	r *Reconciler

	// remote is the connection and its mirror, or why there is none.
	remote mirror.Remote
	// stored is the Secret of the pairs as it was read; nil before that.
	stored *output.Stored
	// takenBack is true until the Secret, which a deleted object has left behind, is written as this object's.
	takenBack bool
	// pairs of the Secret, by their ids.
	pairs map[string]hook.Pair
	// secret that the Secret holds for applications, usable or not; "" if there is none.
	secret string
	// undeclared is true if the Secret that spec.secretRef names does not permit that its value is registered.
	undeclared bool
	// kept are the pairs that were in use when the reconcile began: a Secret loses a pair no sooner than the status.
	kept []string
}

// connect finds the connection. Without one, only the steps that need it fail: a webhook with nothing due stays as it is.
func (s *scope) connect(ctx context.Context, run *run) (engine.Outcome, error) {
	s.findRemote(ctx, run)
	if !s.remote.Usable() {
		return engine.Unchanged, nil
	}
	return engine.Succeeded, nil
}

func (s *scope) findRemote(ctx context.Context, run *run) {
	s.remote = s.r.Mirrors.Remote(s.r.Connections.For(ctx, run.Object.Namespace, run.Object.Spec.ConnectionRef))
}
