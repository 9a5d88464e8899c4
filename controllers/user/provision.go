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
	"github.com/smile-operator/smile-operator/internal/creation"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/ownership"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// provision makes sure that the person exists at Smile, once: the user that the status names, else the one that
// the spec names, else the one that carries our marker, else a new one.
func (v *visit) provision(ctx context.Context, p *pass) error {
	if p.Object.Status.UserID != "" {
		return nil
	}
	// Somebody waits for a new person: the reads go with the creation.
	ctx = smile.WithLane(ctx, smile.LaneCreate)
	conn, known, err := v.connection()
	if err != nil {
		return err
	}
	if p.Object.Spec.UserID != "" {
		return v.adoptByID(ctx, p)
	}
	person, err := v.Owners.Person(ctx, conn, p.Object)
	if err != nil {
		return err
	}
	return v.ensure(ctx, p, known, person)
}

// ensure attaches the user at Smile, or creates it.
func (v *visit) ensure(ctx context.Context, p *pass, known *mirror.Mirror, person ownership.Person) error {
	request := v.request(p, known, person)
	user, created, err := v.Creation.Ensure(ctx, request)
	storeIntent(p.Object, request.Intent)
	if err != nil || !created {
		return err
	}
	return v.keep(p, known, user)
}

// request asks for the user of an object, whose status holds the intent.
func (v *visit) request(p *pass, known *mirror.Mirror, person ownership.Person) *creation.Request {
	request := &creation.Request{
		Conn: v.conn, Name: client.ObjectKeyFromObject(p.Object), Marker: person.Marker,
		Apart:    p.Object.Spec.AdoptionPolicy == v1alpha1.AdoptionNever,
		Metadata: metadata(p.Object), Refused: person.Refused, Intent: intentOf(p.Object),
	}
	request.StoreIntent = func(ctx context.Context) error {
		storeIntent(p.Object, request.Intent)
		return p.WriteIntent(ctx)
	}
	request.Attach = func(ctx context.Context, found mirror.Found) (bool, error) { return v.attach(ctx, p, known, found) }
	request.Claim = func(userID string) { known.Claim(userID, claimOf(p.Object)) }
	return request
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

// keep records a user that was created. A user that turned out to be of the other mode must not be used: everything else waits
// for the right keys.
func (v *visit) keep(p *pass, known *mirror.Mirror, created smile.CreatedUser) error {
	v.record(p, created.User)
	p.Event(corev1.EventTypeNormal, v1alpha1.ReasonUserCreated, "Provision", "created the user at Smile")
	if err := v.conn.Usable(); err != nil {
		return err
	}
	known.RecordNoAccounts(created.User.ID)
	p.Object.Status.Accounts = &v1alpha1.AccountCounts{}
	v.token = created.Token
	return nil
}

// attach takes the remote user that was found for the object or, if the policy allows, for its subject.
func (v *visit) attach(ctx context.Context, p *pass, known *mirror.Mirror, found mirror.Found) (bool, error) {
	candidates := found.Own
	if len(candidates) == 0 && p.Object.Spec.AdoptionPolicy != v1alpha1.AdoptionNever {
		candidates = found.Same
	}
	if len(candidates) == 0 {
		return false, nil
	}
	user, err := v.choose(ctx, p, candidates)
	if err != nil {
		return false, err
	}
	if err := v.claim(ctx, p, known, user.ID); err != nil {
		return false, err
	}
	v.record(p, smile.User{ID: user.ID, CreatedAt: user.CreatedAt})
	p.Event(corev1.EventTypeNormal, v1alpha1.ReasonUserAdopted, "Provision", "re-attached to the person's user at Smile")
	return true, nil
}

// choose picks one of several users of the same person: one with accounts, else the oldest.
func (v *visit) choose(ctx context.Context, p *pass, candidates []mirror.User) (mirror.User, error) {
	if len(candidates) == 1 {
		return candidates[0], nil
	}
	linked := map[string]int{}
	for _, user := range candidates {
		accounts, err := v.Mirrors.For(v.conn).Accounts(ctx, "", user.ID, p.Now)
		if err != nil {
			return mirror.User{}, err
		}
		linked[user.ID] = min(len(accounts), 1)
	}
	return slices.MaxFunc(candidates, func(a, b mirror.User) int {
		return cmp.Or(cmp.Compare(linked[a.ID], linked[b.ID]), b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	}), nil
}

// adoptByID takes the user that the spec names, if that is permitted.
func (v *visit) adoptByID(ctx context.Context, p *pass) error {
	conn, known, err := v.connection()
	if err != nil {
		return err
	}
	userID := p.Object.Spec.UserID
	if err := v.Owners.Verify(ctx, conn, p.Object, userID); err != nil {
		return err
	}
	if err := v.claim(ctx, p, known, userID); err != nil {
		return err
	}
	remote, err := conn.Client.User(ctx, userID)
	if err != nil {
		return err
	}
	v.record(p, remote)
	p.Event(corev1.EventTypeNormal, v1alpha1.ReasonUserAdopted, "Provision", "adopted the user at Smile that spec.userID names")
	return nil
}

// record notes in the status which remote user the object has from now on.
func (v *visit) record(p *pass, remote smile.User) {
	status := &p.Object.Status
	status.UserID = remote.ID
	status.CreateAttempt = nil
	status.Mode = v.conn.Mode
	if !remote.CreatedAt.IsZero() {
		status.CreatedAt = &metav1.Time{Time: remote.CreatedAt}
	}
}

var errClaimed = problem.NewInvalid(v1alpha1.ReasonUserIDConflict,
	"another SmileUser has the same person at Smile: delete one of the two, or give this one another subject or userID").
	After(time.Minute)

// claim takes a remote user for the object; a user belongs to one live object. Statuses tell who had it before this
// process started, and a holder that is gone or has let go loses it.
func (v *visit) claim(ctx context.Context, p *pass, known *mirror.Mirror, userID string) error {
	var holders v1alpha1.SmileUserList
	if err := v.Client.List(ctx, &holders, client.MatchingFields{index.RemoteUser: userID}); err != nil {
		return err
	}
	for i := range holders.Items {
		if other := &holders.Items[i]; other.UID != p.Object.UID && v.sameAccount(other) {
			known.Claim(userID, claimOf(other))
		}
	}
	own := claimOf(p.Object)
	for range 2 {
		holder := known.Claim(userID, own)
		if holder == own {
			return nil
		}
		alive, err := v.holds(ctx, holder, userID)
		if err != nil {
			return err
		}
		if alive {
			return errClaimed
		}
		known.Unclaim(userID, holder)
	}
	return errClaimed
}

func claimOf(user *v1alpha1.SmileUser) mirror.Claim {
	return mirror.Claim{Object: client.ObjectKeyFromObject(user), UID: user.UID}
}

// sameAccount tells whether another object's user lives in our API account. One whose account this process does not
// know is taken to: better to wait than to have two, or to read a Secret of another namespace to find out.
func (v *visit) sameAccount(other *v1alpha1.SmileUser) bool {
	account, known := v.Connections.KnownAccount(other.Namespace, other.Spec.ConnectionRef)
	return !known || account == v.conn.Account()
}

// holds tells whether the holder of a claim still lives and still has, or is about to get, that user.
func (v *visit) holds(ctx context.Context, holder mirror.Claim, userID string) (bool, error) {
	var user v1alpha1.SmileUser
	err := v.Live.Get(ctx, holder.Object, &user)
	if client.IgnoreNotFound(err) != nil {
		return false, err
	}
	return err == nil && user.UID == holder.UID && (user.Status.UserID == userID || user.Status.UserID == ""), nil
}
