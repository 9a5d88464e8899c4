// Package connection turns a SmileConnection and its Secret into a client that is ready to use, one session per
// key pair and one budget per API host for the whole process.
package connection

import (
	"context"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

// Connection is a SmileConnection as this process uses it.
type Connection struct {
	// Name of the SmileConnection.
	Name types.NamespacedName
	// Client reads from Smile. What changes something there is a method of Connection.
	Client *smile.Client
	// Mode of the connection.
	Mode v1alpha1.Mode
	// Endpoint in effect.
	Endpoint string
	// RequestsPerSecond in effect; 0 means unlimited.
	RequestsPerSecond float64
	// ResyncInterval in effect.
	ResyncInterval time.Duration
	// RevokesPerDay in effect: how many revokes that specs ask for are made in 24 hours.
	RevokesPerDay int
	// AdoptionAllowed is whether users that this installation did not create may be adopted by their id.
	AdoptionAllowed bool

	// Observes is whether nothing is changed at Smile, because of spec.managementPolicy.
	Observes bool
	// Undeclared is whether the Secret does not permit that its values are used as credentials. The pair is still used because
	// it was proven before the permission was required.
	Undeclared bool

	session *session
	limiter *revokeLimiter
	gate    gate
	mutator *smile.Mutator
	// proven is true once the pair was proven for this connection: it works, and it is of the tenant of the connection's users.
	// Another connection may have proven the pair for a tenant of its own.
	proven atomic.Bool
	// uid and generation of the object that it was made from.
	uid        types.UID
	generation int64
}

// Account names the API account, the same for all connections that use it.
func (c *Connection) Account() string { return c.session.account }

// Fingerprint of the key pair in use.
func (c *Connection) Fingerprint() string { return c.session.fingerprint }

// ModeConfirmed reports whether a token has shown that the pair is of the connection's mode.
func (c *Connection) ModeConfirmed() bool { return c.session.confirmed() }

// WrongMode reports whether a token has shown that the pair is of the other mode.
func (c *Connection) WrongMode() bool { return c.session.breaker.wrongMode() }

// Usable returns why no ordinary call may be made; nil if one may.
func (c *Connection) Usable() error { return c.session.breaker.refusal() }

// KnownUser is a user that the pair can see; "" if none is known.
func (c *Connection) KnownUser() string {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	return c.session.knownUser
}

// Prove checks that the key pair works and belongs to the tenant of knownUser, if that is not empty.
func (c *Connection) Prove(ctx context.Context, knownUser string) error {
	if err := c.session.prove(ctx, knownUser); err != nil {
		return err
	}
	c.proven.Store(true)
	return nil
}

// replaceable reports whether two connections differ only in the key pair.
func (c *Connection) replaceable(by *Connection) bool {
	return c.uid == by.uid && c.Endpoint == by.Endpoint && c.Mode == by.Mode && c.session != by.session
}

// Turn returns nil if a call of the context would be sent within about half a second, and keeps its place for the next call of
// this reconcile. Otherwise it returns the error with which that call would fail, and sends nothing. Then the reconcile ends, and
// runs again when its turn is near. Call Turn before a step that must come right before a call, such as storing an intent. The
// lane is that of the context. If no caller can be woken, Turn returns nil and the call waits.
func (c *Connection) Turn(ctx context.Context) error {
	return c.session.transport.Turn(c.gate.calling(ctx))
}

// TurnToCreate is Turn for CreateUser, if the connection's policy permits that call. While the mode of the key pair is unknown,
// it also returns an error while another create is under way.
func (c *Connection) TurnToCreate(ctx context.Context) error {
	if err := c.permitted(userCreated); err != nil {
		return err
	}
	if !c.session.confirmed() {
		if err := c.session.first.turn(ctx); err != nil {
			return err
		}
	}
	return c.Turn(smile.WithLane(ctx, smile.LaneCreate))
}

// TurnToRegister is Turn for CreateWebhook, if the connection's policy permits that call.
func (c *Connection) TurnToRegister(ctx context.Context) error {
	if err := c.permitted(webhookRegistered); err != nil {
		return err
	}
	return c.Turn(smile.WithLane(ctx, smile.LaneCreate))
}

// TurnToRevoke is Turn for RevokeDeclared, if the connection's policy permits that call.
func (c *Connection) TurnToRevoke(ctx context.Context) error {
	if err := c.permitted(accountRevoked); err != nil {
		return err
	}
	return c.Turn(smile.WithLane(ctx, smile.LaneRevoke))
}

// TurnIsNear reports whether a call of the context would be sent within about half a second. It keeps no place.
func (c *Connection) TurnIsNear(ctx context.Context) bool {
	return c.session.transport.TurnIsNear(c.gate.calling(ctx))
}

// ShownAccount identifies the API account that the status of a connection shows. It is equal for connections of the same account,
// and "" while no pair was proven.
func ShownAccount(conn *v1alpha1.SmileConnection) string {
	if conn.Status.Credentials == nil || conn.Status.Credentials.Fingerprint == "" {
		return ""
	}
	return transport.CanonicalText(conn.Status.Endpoint) + " " + conn.Status.Credentials.Fingerprint
}
