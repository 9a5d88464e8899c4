package smile_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/smile-operator/smile-operator/internal/smile"
)

func TestLanes(t *testing.T) {
	calls := map[string]struct {
		call      func(context.Context, *smile.Mutator)
		otherwise smile.Lane
	}{
		"revoke":       {func(ctx context.Context, c *smile.Mutator) { _ = c.RevokeAccount(ctx, "a-1") }, smile.LaneRevoke},
		"create user":  {func(ctx context.Context, c *smile.Mutator) { _, _ = c.CreateUser(ctx, nil) }, smile.LaneCreate},
		"create token": {func(ctx context.Context, c *smile.Mutator) { _, _ = c.CreateToken(ctx, "u-1") }, smile.LaneCreate},
		"get user":     {func(ctx context.Context, c *smile.Mutator) { _, _ = c.User(ctx, "u-1") }, smile.LaneRefresh},
		"list users":   {func(ctx context.Context, c *smile.Mutator) { c.Users(ctx, smile.UserFilter{})(noMore) }, smile.LaneRefresh},
	}
	for name, test := range calls {
		t.Run(name, func(t *testing.T) {
			var seen smile.Lane
			client := clientOf(doerFunc(func(request *http.Request) (*http.Response, error) {
				seen = smile.LaneFrom(request.Context())
				return nil, errors.New("not sent")
			}))
			if test.call(t.Context(), client); seen != test.otherwise {
				t.Errorf("without a lane in the context, it is in lane %d, want %d", seen, test.otherwise)
			}
			for lane := smile.LaneRevoke; lane <= smile.LaneRefresh; lane++ {
				if test.call(smile.WithLane(t.Context(), lane), client); seen != lane {
					t.Errorf("put into lane %d it is in %d", lane, seen)
				}
			}
		})
	}
}

func noMore(smile.User, error) bool { return false }

func TestLaneOfNoCall(t *testing.T) {
	if got := smile.LaneFrom(t.Context()); got != smile.LaneRefresh {
		t.Errorf("a context of no call is in lane %d", got)
	}
	for lane, want := range map[smile.Lane]smile.Lane{-1: smile.LaneRevoke, smile.LaneRefresh + 1: smile.LaneRefresh} {
		if got := smile.LaneFrom(smile.WithLane(t.Context(), lane)); got != want {
			t.Errorf("lane %d became %d, want %d", lane, got, want)
		}
	}
}
