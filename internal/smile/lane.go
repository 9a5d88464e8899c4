package smile

import (
	"context"
	"net/http"
)

// Lane is how urgent a call is. Calls of a lane go before all of those below.
type Lane int

// The lanes, the most urgent first.
const (
	// LaneRevoke is for what ends a consent.
	LaneRevoke Lane = iota
	// LaneCreate is for what somebody waits for: users and link tokens, and the reads
	// that they need.
	LaneCreate
	// LaneHint is for reads of what is known to have changed.
	LaneHint
	// LaneRefresh is for everything else.
	LaneRefresh
)

type laneKey struct{}

// WithLane puts the calls of a context into a lane. Without it a call's operation
// decides: DELETE is LaneRevoke, POST is LaneCreate, GET is LaneRefresh.
func WithLane(ctx context.Context, lane Lane) context.Context {
	return context.WithValue(ctx, laneKey{}, min(max(lane, LaneRevoke), LaneRefresh))
}

// LaneFrom returns the lane of a request's context.
func LaneFrom(ctx context.Context) Lane {
	if lane, ok := ctx.Value(laneKey{}).(Lane); ok {
		return lane
	}
	operation, _ := OperationFrom(ctx)
	switch operation.Method {
	case http.MethodDelete:
		return LaneRevoke
	case http.MethodPost:
		return LaneCreate
	default:
		return LaneRefresh
	}
}
