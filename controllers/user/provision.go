package user

import (
	"cmp"
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/creation"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// provision ensures that the person exists at Smile exactly once: as the user that the status names, else the one that the spec
// names, else the one that carries our marker, else a new one.
func (s *scope) provision(ctx context.Context, run *run) error {
	if run.Object.Status.UserID != "" {
		return nil
	}
	ctx = smile.WithLane(ctx, smile.LaneCreate) // reads included, because somebody may be waiting for the new person
	conn, view, err := s.remote.Use()
	if err != nil {
		return err
	}
	if run.Object.Spec.UserID != "" {
		return s.adoptByID(ctx, run, conn, view)
	}
	request, err := s.request(ctx, run, conn, view)
	if err != nil {
		return err
	}
	user, created, err := s.r.Creation.Ensure(ctx, request)
	storeIntent(run.Object, request.Intent)
	if err != nil || !created {
		return err
	}
	return s.keep(run, conn, view, user)
}

// request returns the request to create the user of an object, or to settle the attempt whose intent is in the status.
func (s *scope) request(
	ctx context.Context, run *run, conn *connection.Connection, view *mirror.Mirror,
) (*creation.Request, error) {
	person, err := s.r.Owners.Person(ctx, conn, run.Object)
	if err != nil {
		return nil, err
	}
	request := &creation.Request{
		Conn: conn, Name: client.ObjectKeyFromObject(run.Object), Marker: person.Marker,
		Apart:    run.Object.Spec.AdoptionPolicy == v1alpha1.AdoptionNever,
		Metadata: metadata(run.Object), Refused: person.Refused, Intent: intentOf(run.Object),
	}
	request.StoreIntent = func(ctx context.Context) error {
		storeIntent(run.Object, request.Intent)
		return run.WriteIntent(ctx)
	}
	request.Attach = func(ctx context.Context, found mirror.Found) (bool, error) {
		return s.attach(ctx, run, conn, view, found)
	}
	request.Claim = func(userID string) { view.Claim(userID, claimOf(run.Object)) }
	return request, nil
}

func intentOf(user *v1alpha1.SmileUser) *creation.Intent {
	if stored := user.Status.CreateAttempt; stored != nil {
		return &creation.Intent{ID: stored.ID, StartedAt: stored.StartedAt.Time}
	}
	return nil
}

func storeIntent(user *v1alpha1.SmileUser, intent *creation.Intent) {
	user.Status.CreateAttempt = nil
	if intent != nil {
		// Whole seconds, as they are stored.
		user.Status.CreateAttempt = &v1alpha1.CreateAttempt{
			ID: intent.ID, StartedAt: metav1.NewTime(intent.StartedAt.Truncate(time.Second)),
		}
	}
}

func metadata(user *v1alpha1.SmileUser) map[string]string {
	pairs := map[string]string{}
	for key, value := range user.Spec.ExternalMetadata {
		pairs[key] = string(value)
	}
	return pairs
}

// keep records a user that was created. A user of the wrong mode must not be used: everything else waits for the right keys.
func (s *scope) keep(run *run, conn *connection.Connection, view *mirror.Mirror, created smile.CreatedUser) error {
	record(run, conn.Mode, created.User)
	run.Event(corev1.EventTypeNormal, v1alpha1.ReasonUserCreated, "Provision", "created the user at Smile")
	if err := conn.Usable(); err != nil {
		return err
	}
	view.RecordNoAccounts(created.User.ID)
	run.Object.Status.Accounts = &v1alpha1.AccountCounts{}
	s.token = created.Token
	return nil
}

// attach attaches the remote user that was created for the object or, if the policy permits it, for its subject. It reports
// whether there is one.
func (s *scope) attach(
	ctx context.Context, run *run, conn *connection.Connection, view *mirror.Mirror, found mirror.Found,
) (attached bool, err error) {
	candidates := found.Own
	if len(candidates) == 0 && run.Object.Spec.AdoptionPolicy != v1alpha1.AdoptionNever {
		candidates = found.Same
	}
	if len(candidates) == 0 {
		return false, nil
	}
	user, err := choose(ctx, view, candidates, run.Now)
	if err != nil {
		return false, err
	}
	if err := s.claim(ctx, run, conn, view, user.ID); err != nil {
		return false, err
	}
	record(run, conn.Mode, smile.User{ID: user.ID, CreatedAt: user.CreatedAt})
	run.Event(corev1.EventTypeNormal, v1alpha1.ReasonUserAdopted, "Provision", "re-attached to the person's user at Smile")
	return true, nil
}

// choose returns one of several users of the same person: one with accounts, else the oldest.
func choose(ctx context.Context, view *mirror.Mirror, candidates []mirror.User, now time.Time) (mirror.User, error) {
	if len(candidates) == 1 {
		return candidates[0], nil
	}
	linked := map[string]int{}
	for _, user := range candidates {
		accounts, err := view.Accounts(ctx, "", user.ID, now)
		if err != nil {
			return mirror.User{}, err
		}
		linked[user.ID] = min(len(accounts), 1)
	}
	return slices.MaxFunc(candidates, func(a, b mirror.User) int {
		return cmp.Or(cmp.Compare(linked[a.ID], linked[b.ID]), b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	}), nil
}

// adoptByID attaches the user that the spec names, if that is permitted.
func (s *scope) adoptByID(ctx context.Context, run *run, conn *connection.Connection, view *mirror.Mirror) error {
	userID := run.Object.Spec.UserID
	if err := s.r.Owners.Verify(ctx, conn, run.Object, userID); err != nil {
		return err
	}
	if err := s.claim(ctx, run, conn, view, userID); err != nil {
		return err
	}
	remote, err := conn.Client.User(ctx, userID)
	if err != nil {
		return err
	}
	record(run, conn.Mode, remote)
	run.Event(corev1.EventTypeNormal, v1alpha1.ReasonUserAdopted, "Provision", "adopted the user at Smile that spec.userID names")
	return nil
}

// record stores in the status which remote user the object has from now on.
func record(run *run, mode v1alpha1.Mode, remote smile.User) {
	status := &run.Object.Status
	status.UserID = remote.ID
	status.CreateAttempt = nil
	status.Mode = mode
	if !remote.CreatedAt.IsZero() {
		status.CreatedAt = &metav1.Time{Time: remote.CreatedAt}
	}
}

var errClaimed = problem.NewInvalid(v1alpha1.ReasonUserIDConflict,
	"another SmileUser has the same person at Smile: delete one of the two, or give this one another subject or userID").
	After(time.Minute)

// claim claims a remote user for the object, because a user belongs to one live object. The statuses show which object had it
// before this process started. A holder that was deleted, or that no longer has the user, loses it.
func (s *scope) claim(ctx context.Context, run *run, conn *connection.Connection, view *mirror.Mirror, userID string) error {
	var holders v1alpha1.SmileUserList
	if err := s.r.Client.List(ctx, &holders, client.MatchingFields{index.RemoteUser: userID}); err != nil {
		return err
	}
	for i := range holders.Items {
		if other := &holders.Items[i]; other.UID != run.Object.UID && s.mayShareAccount(other, conn) {
			view.Claim(userID, claimOf(other))
		}
	}
	own := claimOf(run.Object)
	for range 2 {
		holder := view.Claim(userID, own)
		if holder == own {
			return nil
		}
		alive, err := s.holds(ctx, holder, userID)
		if err != nil {
			return err
		}
		if alive {
			return errClaimed
		}
		view.Unclaim(userID, holder)
	}
	return errClaimed
}

func claimOf(user *v1alpha1.SmileUser) mirror.Claim {
	return mirror.Claim{Object: client.ObjectKeyFromObject(user), UID: user.UID}
}

// mayShareAccount reports whether another object's user may be in the same API account. If this process does not know that
// account, it may be: waiting is better than two objects with one user, or than reading a Secret of another namespace.
func (s *scope) mayShareAccount(other *v1alpha1.SmileUser, conn *connection.Connection) bool {
	account, ok := s.r.Connections.ProvenAccount(other.Namespace, other.Spec.ConnectionRef)
	return !ok || account == conn.Account()
}

// holds reports whether the holder of a claim still exists, and has or may be about to get that user.
func (s *scope) holds(ctx context.Context, holder mirror.Claim, userID string) (bool, error) {
	var user v1alpha1.SmileUser
	err := s.r.Live.Get(ctx, holder.Object, &user)
	if client.IgnoreNotFound(err) != nil {
		return false, err
	}
	return err == nil && user.UID == holder.UID && (user.Status.UserID == userID || user.Status.UserID == ""), nil
}
