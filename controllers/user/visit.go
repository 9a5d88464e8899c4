package user

import (
	"context"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/smile"
)

type pass = engine.Run[*v1alpha1.SmileUser]

// visit is what the phases of one pass hand on to each other.
type visit struct {
	*Controller

	conn    *connection.Connection
	connErr error
	// token that came with a user created in this pass.
	token smile.Token
	// takenBack is true when the Secret of the link token was left behind by a deleted object.
	takenBack bool
	// trouble with the Secret of the link token, which holds up nothing else. Nil or a *problem.Problem.
	trouble error
}

// connect looks for the connection. That there is none ready stops only what needs one: a user with nothing due
// stays as it is.
func (v *visit) connect(ctx context.Context, p *pass) (engine.Outcome, error) {
	v.conn, v.connErr = v.Connections.For(ctx, p.Object.Namespace, p.Object.Spec.ConnectionRef)
	if v.connErr != nil {
		return engine.Unchanged, nil
	}
	return engine.Succeeded, nil
}

// connection gives the connection to a phase that has something to call.
func (v *visit) connection() (*connection.Connection, *mirror.Mirror, error) {
	if v.connErr != nil {
		return nil, nil, v.connErr
	}
	return v.conn, v.Mirrors.For(v.conn), nil
}
