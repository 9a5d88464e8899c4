package accountsync

import (
	"context"
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// A ttl is evaluated by the clock of this machine, and data that it ends may be lost forever. So nothing is erased by a ttl
// before a response from Smile has confirmed that clock.

var (
	errClockSkew = problem.NewInvalid(v1alpha1.ReasonClockSkew,
		"spec.retention.ttl has passed by the clock of the operator, which differs from Smile's by more than 10 minutes: "+
			"the data is kept until they agree; synchronize the clock of the operator's node").
		On(v1alpha1.ConditionDataSynced).After(10 * time.Minute)
	errClockUnconfirmed = problem.NewNotReady(v1alpha1.ReasonClockUnconfirmed,
		"spec.retention.ttl has passed by the clock of the operator, which no response of Smile has confirmed since the operator started: "+
			"the data is kept until one does; make the SmileConnection usable, or delete this object to erase its data now").
		On(v1alpha1.ConditionDataSynced)
)

// ttlTime is the time at which ttls are evaluated. Unless the clock is confirmed it is the zero time, at which none has passed.
func (v *visit) ttlTime(ctx context.Context, p *pass) time.Time {
	if v.skew(ctx, p.Object).Confirmed() {
		return p.Now
	}
	return time.Time{}
}

// skew is that of the person's API host, as far as it is known.
func (v *visit) skew(ctx context.Context, sync *v1alpha1.SmileAccountSync) connection.Skew {
	if v.conn != nil {
		return v.conn.Skew()
	}
	if err := v.lookUpUser(ctx, sync); err != nil {
		return v.Connections.Skew()
	}
	return v.Connections.SkewOf(v.user.Namespace, v.user.Spec.ConnectionRef)
}

// heldByClock is why data whose ttl has passed is kept; nil when there is none.
func (v *visit) heldByClock(ctx context.Context, p *pass) *problem.Problem {
	now := v.ttlTime(ctx, p)
	held := slices.ContainsFunc(p.Object.Status.Accounts, func(account v1alpha1.SyncedAccount) bool {
		return expired(p.Object, account, p.Now) && !expired(p.Object, account, now)
	})
	if !held {
		return nil
	}
	return v.clockFault(ctx, p.Object)
}

func (v *visit) clockFault(ctx context.Context, sync *v1alpha1.SmileAccountSync) *problem.Problem {
	if v.skew(ctx, sync).Excessive() {
		return errClockSkew
	}
	return errClockUnconfirmed
}

// confirmClock asks Smile for its time if a ttl has passed and no response has shown the time since the start.
func (v *visit) confirmClock(ctx context.Context, p *pass) error {
	if v.held == nil || v.conn == nil || v.conn.Skew().Known {
		return nil
	}
	if err := v.conn.AskTime(ctx); err != nil && problem.Classify(err).Class == problem.Throttled {
		return err
	}
	return v.eraseDoomed(ctx, p)
}
