package transport

import (
	"context"
	"errors"
	"net/http"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// Fence reports why this process may not change anything at Smile: it may no longer be the leader. It returns nil if it may.
type Fence func() error

var errNoFence = errors.New("no fence permits this process to change anything at Smile")

// check is the fence's answer. A fence that is missing refuses.
func (f Fence) check() error {
	if f == nil {
		return errNoFence
	}
	return f()
}

type standbyKey struct{}

// OnStandby permits that a link token is minted although the fence refuses, because a standby mints it. A token creates nobody,
// and it does no harm if two are minted. The fence still stops every other call of the context.
func OnStandby(ctx context.Context) context.Context {
	return context.WithValue(ctx, standbyKey{}, true)
}

func mintsOnStandby(ctx context.Context) bool {
	operation, _ := smile.OperationFrom(ctx)
	return ctx.Value(standbyKey{}) != nil && operation.MintsToken()
}

// permitted returns why a call that has its slot must not be sent; nil if it may.
func permitted(request *http.Request, fence Fence) error {
	if request.Method != http.MethodGet && !mintsOnStandby(request.Context()) {
		if err := fence.check(); err != nil {
			return err
		}
	}
	return smile.Check(request.Context())
}
