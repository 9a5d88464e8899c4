// Package linktoken mints link tokens for SmileUsers, and knows the URLs of the widget.
package linktoken

import (
	"context"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// Mint mints a token of the remote user of an object, once owners has verified that the user belongs to the object. This
// costs one call if the mirror knows the user, else two.
func Mint(
	ctx context.Context,
	owners *ownership.Checker,
	conn *connection.Connection,
	user *v1alpha1.SmileUser,
) (smile.Token, error) {
	return mint(ctx, owners, conn, user, conn.CreateToken)
}

// MintOnStandby is Mint in a process that does not lead.
func MintOnStandby(
	ctx context.Context,
	owners *ownership.Checker,
	conn *connection.Connection,
	user *v1alpha1.SmileUser,
) (smile.Token, error) {
	return mint(ctx, owners, conn, user, conn.CreateTokenOnStandby)
}

func mint(
	ctx context.Context,
	owners *ownership.Checker,
	conn *connection.Connection,
	user *v1alpha1.SmileUser,
	create func(ctx context.Context, userID string) (smile.Token, error),
) (smile.Token, error) {
	ctx = smile.WithLane(ctx, smile.LaneCreate)
	if err := owners.Verify(ctx, conn, user, user.Status.UserID); err != nil {
		return smile.Token{}, err
	}
	token, err := create(ctx, user.Status.UserID)
	if smile.IsNotFound(err) {
		return smile.Token{}, ownership.ErrMissing
	}
	return token, err
}
