package accountsync

import (
	"context"
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// A ttl is evaluated by the clock of this machine, and data that is erased may be lost forever. So no data is erased because
// of a ttl before a response from Smile has confirmed that clock.

var (
	errClockSkew = problem.NewInvalid(v1alpha1.ReasonClockSkew,
		"spec.retention.ttl has passed by the clock of the operator, which differs from Smile's by more than 10 minutes: "+
			"the data is kept until they agree; synchronize the clock of the operator's node").
		On(v1alpha1.ConditionDataSynced).After(10 * time.Minute)
	errClockUnconfirmed = problem.NewNotReady(v1alpha1.ReasonClockUnconfirmed,
		"spec.retention.ttl has passed by the clock of the operator, which no response of Smile has confirmed "+
			"since the operator started: "+
			"the data is kept until one does; make the SmileConnection usable, or delete this object to erase the data now").
		On(v1alpha1.ConditionDataSynced)
)

// ttlTime is the time at which ttls are evaluated. Unless the clock is confirmed it is the zero time, at which none has passed.
func (s *scope) ttlTime(ctx context.Context, run *run) time.Time {
	if s.skew(ctx, run.Object).Confirmed() {
		return run.Now
	}
	return time.Time{}
}

// skew is the skew of the user's API host, or the greatest of all hosts if the user is not known.
func (s *scope) skew(ctx context.Context, sync *v1alpha1.SmileAccountSync) connection.Skew {
	if s.conn != nil {
		return s.conn.Skew()
	}
	if err := s.findUserObject(ctx, sync); err != nil {
		return s.r.Connections.Skew()
	}
	return s.r.Connections.SkewOf(s.user.Namespace, s.user.Spec.ConnectionRef)
}

// heldByClock is why data whose ttl has passed is kept; nil when there is none.
func (s *scope) heldByClock(ctx context.Context, run *run) *problem.Problem {
	now := s.ttlTime(ctx, run)
	held := slices.ContainsFunc(run.Object.Status.Accounts, func(account v1alpha1.SyncedAccount) bool {
		return expired(run.Object, account, run.Now) && !expired(run.Object, account, now)
	})
	if !held {
		return nil
	}
	return s.clockFault(ctx, run.Object)
}

func (s *scope) clockFault(ctx context.Context, sync *v1alpha1.SmileAccountSync) *problem.Problem {
	if s.skew(ctx, sync).Excessive() {
		return errClockSkew
	}
	return errClockUnconfirmed
}

// confirmClock asks Smile for its time if a ttl has passed and no response has shown the time since the start.
func (s *scope) confirmClock(ctx context.Context, run *run) error {
	if s.held == nil || s.conn == nil || s.conn.Skew().Known {
		return nil
	}
	if err := s.conn.AskTime(ctx); err != nil && problem.Classify(err).Class == problem.Throttled {
		return err
	}
	return s.erase(ctx, run)
}
