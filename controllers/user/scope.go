package user

import (
	"context"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/smile"
)

type run = engine.Run[*v1alpha1.SmileUser]

// scope lives for one reconcile. It holds what its phases have found.
type scope struct {
	r *Reconciler

	// remote is the connection and its mirror, or why there is none.
	remote mirror.Remote
	// token that came with the user, if this reconcile created it.
	token smile.Token
	// tokenErr is a problem of the link token's Secret. It ends the reconcile only after all phases.
	tokenErr error
}

// connect finds the connection. Without one, only the phases that need it fail: a user with nothing due stays as it is.
func (s *scope) connect(ctx context.Context, run *run) (engine.Outcome, error) {
	s.remote = s.r.Mirrors.Remote(s.r.Connections.For(ctx, run.Object.Namespace, run.Object.Spec.ConnectionRef))
	if !s.remote.Usable() {
		return engine.Unchanged, nil
	}
	return engine.Succeeded, nil
}

// conclude reports the problem of the link token's Secret if nothing else failed.
func (s *scope) conclude(_ *run, err error) error {
	if err != nil {
		return err
	}
	return s.tokenErr
}
