package connection

import (
	"context"
	"errors"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

// The methods in this file are all calls that change something at Smile. Nothing else in the operator can make them. Each is
// sent only if, once it has its slot in the budget, the key pair is not refused and the fence of the registry permits it; the
// fence has one exception, CreateTokenOnStandby. None is sent while the connection only observes Smile.

// ErrOutcomeUnknown is the problem of an object for which a call that creates may have succeeded.
var ErrOutcomeUnknown = problem.NewNotReady(v1alpha1.ReasonCreateOutcomeUnknown,
	"a call that creates was interrupted and may have succeeded: waiting for a listing at Smile that shows it; "+
		"nothing is created meanwhile")

// change is what a call changes at Smile, as a sentence about it says.
type change string

const (
	userCreated       change = "a user would be created"
	tokenMinted       change = "a link token would be minted"
	webhookRegistered change = "a webhook would be registered"
	webhookDeleted    change = "a webhook would be deleted"
	accountRevoked    change = "an account would be revoked"
	archiveRevoked    change = "an archive would be revoked"
)

// permitted returns nil if the connection's policy permits a change. Otherwise it returns an UnsentError that says what would be
// changed.
func (c *Connection) permitted(what change) error {
	if !c.Observes {
		return nil
	}
	return &smile.UnsentError{Cause: problem.NewNotReady(v1alpha1.ReasonObserveOnly,
		"spec.managementPolicy of the SmileConnection is Observe, so nothing is changed at Smile: with Manage, "+string(what))}
}

// CreateUser creates a user. Once the call has its slot, check is called after the fence, and the call is not sent if it
// returns an error. While the mode of the key pair is unknown, creates run one at a time: the token that comes with the first
// shows the mode, and a wrong one stops all that follow. The user of that first create exists all the same, so it is returned:
// Usable reports whether it may be used.
func (c *Connection) CreateUser(ctx context.Context, metadata map[string]string, check func() error) (smile.CreatedUser, error) {
	if err := c.permitted(userCreated); err != nil {
		return smile.CreatedUser{}, err
	}
	leave, err := c.session.first.enter(ctx, c.session.confirmed)
	if err != nil {
		return smile.CreatedUser{}, err
	}
	defer leave()
	created, err := c.mutator.CreateUser(smile.WithCheck(ctx, check), metadata)
	if err == nil {
		c.session.learn(created.Token.Mode, created.User.ID)
	}
	return created, err
}

// CreateToken mints a link token.
func (c *Connection) CreateToken(ctx context.Context, userID string) (smile.Token, error) {
	if err := c.permitted(tokenMinted); err != nil {
		return smile.Token{}, err
	}
	token, err := c.mutator.CreateToken(ctx, userID)
	if err != nil {
		return token, err
	}
	c.session.learn(token.Mode, userID)
	return token, c.Usable()
}

// CreateTokenOnStandby mints a link token in a process that does not lead. It is the only call in this file that the fence does
// not stop.
func (c *Connection) CreateTokenOnStandby(ctx context.Context, userID string) (smile.Token, error) {
	return c.CreateToken(transport.OnStandby(ctx), userID)
}

// CreateWebhook registers a webhook, each time it is called.
func (c *Connection) CreateWebhook(ctx context.Context, wanted smile.NewWebhook) (smile.Webhook, error) {
	if err := c.permitted(webhookRegistered); err != nil {
		return smile.Webhook{}, err
	}
	return c.mutator.CreateWebhook(ctx, wanted)
}

// DeleteWebhook deletes a webhook.
func (c *Connection) DeleteWebhook(ctx context.Context, id string) error {
	if err := c.permitted(webhookDeleted); err != nil {
		return err
	}
	return c.mutator.DeleteWebhook(ctx, id)
}

// RevokeAccount revokes an account because an object is deleted. If such revokes wait for an approval, it is an UnsentError.
func (c *Connection) RevokeAccount(ctx context.Context, id string) error {
	return c.revoke(ctx, id, accountRevoked, c.mutator.RevokeAccount)
}

// RevokeArchive does the same for an archive.
func (c *Connection) RevokeArchive(ctx context.Context, id string) error {
	return c.revoke(ctx, id, archiveRevoked, c.mutator.RevokeArchive)
}

func (c *Connection) revoke(ctx context.Context, id string, what change, call func(context.Context, string) error) error {
	if err := c.permitted(what); err != nil {
		return err
	}
	if err := c.limiter.take(); err != nil {
		return &smile.UnsentError{Cause: err}
	}
	err := call(ctx, id)
	if isUnsent(err) {
		c.limiter.giveBack()
	}
	return err
}

// RevokeDeclared revokes an account because a spec asks for it. If the limit of such revokes permits it, record is called, and
// the call is sent only if record has stored that it is about to be. recorded reports whether it has.
func (c *Connection) RevokeDeclared(
	ctx context.Context, id string, record func(context.Context) error,
) (recorded bool, err error) {
	if err = c.permitted(accountRevoked); err != nil {
		return false, err
	}
	limit := c.limiter.declared
	if err := limit.take(ctx); err != nil {
		return false, err
	}
	if err := record(ctx); err != nil {
		limit.giveBack()
		return false, err
	}
	err = c.mutator.RevokeAccount(ctx, id)
	if isUnsent(err) {
		limit.giveBack()
	}
	return true, err
}

func isUnsent(err error) bool {
	_, unsent := errors.AsType[*smile.UnsentError](err)
	return unsent
}
