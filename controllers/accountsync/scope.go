package accountsync

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

type run = engine.Run[*v1alpha1.SmileAccountSync]

// scope lives for one reconcile. It holds what its phases have found.
type scope struct {
	r *Reconciler

	user    *v1alpha1.SmileUser
	userErr error
	conn    *connection.Connection
	connErr error
	mirror  *mirror.Mirror

	// now is when the reconcile began.
	now time.Time
	// notBefore is how fresh the accounts and tasks must be that are read.
	notBefore time.Time
	// hinted are the accounts with hints that this reconcile must process, by id; direct are those of them whose data is fetched
	// at once. processing are all hints that are processed when the reconcile is over.
	hinted     map[string]hintsOf
	direct     map[string]bool
	processing []mirror.HintedAccount
	// plan is what is going to be done with the output.
	plan plan
	// found is what the conditions show.
	found findings
	// asWritten is true when the output is what was written, and hasMetadata when it has its owner and the template's metadata.
	asWritten, hasMetadata bool
	// missing is true when there was no output when the reconcile began.
	missing bool
	// broken is what is wrong with the output, until it is repaired; nil if nothing is.
	broken *problem.Problem
	// spared is true when the output is not compared in this reconcile, because the output checks will have it compared.
	spared bool
	// held is why data whose ttl has passed is kept; nil when there is none.
	held *problem.Problem
	// again is true when another reconcile follows at once.
	again bool
	// undecided is true when the output holds data that is not in the status.
	undecided bool
	// unjudged are the accounts whose copies in the output cannot be decided about until the clock is confirmed.
	unjudged []string
	// listed are the accounts as Smile has just shown them.
	listed []smile.Account
	// refused is the data in the output that is not taken back, until it is erased.
	refused erasures
	// opened are the objects of the output as they were before anything was fetched.
	opened opened
	// foreign is why some outputs could not be opened: they do not, or not yet, belong to this object.
	foreign map[output.Target]error
	// fetched is the data that this reconcile has fetched: all of it, or none.
	fetched []fetched
}

var (
	errUserNotReady = problem.NewWaiting(v1alpha1.ReasonUserNotReady,
		"the SmileUser has no user at Smile yet: its own conditions say why")
	errUserSuspended = problem.NewWaiting(v1alpha1.ReasonSuspended,
		"the SmileUser is suspended").On(v1alpha1.ConditionUserReady)
)

// findUser finds the SmileUser. A connection that is not ready stops only what needs one.
func (s *scope) findUser(ctx context.Context, run *run) (err error) {
	err = s.findUserObject(ctx, run.Object)
	switch {
	case apierrors.IsNotFound(err):
		return problem.NewWaiting(v1alpha1.ReasonUserNotFound,
			"the SmileUser that spec.userRef names does not exist in this namespace"+problem.Unselected(s.r.Selector))
	case err != nil:
		return err
	case s.user.Status.UserID == "":
		return errUserNotReady
	case s.user.Spec.Suspend:
		s.connErr = errUserSuspended
	default:
		s.conn, s.connErr = s.r.Connections.For(ctx, s.user.Namespace, s.user.Spec.ConnectionRef)
	}
	if s.connErr == nil {
		s.mirror = s.r.Mirrors.For(s.conn)
	}
	return nil
}
