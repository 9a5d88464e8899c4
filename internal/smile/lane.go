package smile

import (
	"context"
	"net/http"
)

// Lane is how urgent a call is. The calls of a lane go before those of all later
// lanes.
type Lane int

// The lanes, the most urgent first.
const (
	// LaneRevoke is for calls that end a consent.
	LaneRevoke Lane = iota
	// LaneCreate is for calls that somebody waits for: they create users and link
	// tokens, or read what that needs.
	LaneCreate
	// LaneHint is for reads of objects that have changed, as an event has shown.
	LaneHint
	// LaneRefresh is for everything else.
	LaneRefresh
)

// String is the name of the lane.
func (l Lane) String() string {
	return [...]string{"revoke", "create", "hint", "refresh"}[min(max(l, LaneRevoke), LaneRefresh)]
}

type laneKey struct{}

// WithLane puts the calls of a context into a lane. Without it, the method decides:
// DELETE is LaneRevoke, POST is LaneCreate, GET is LaneRefresh.
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
