package receiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// grouping is how far apart the writes to one person are at least. What comes in between is written together.
	grouping = 100 * time.Millisecond
	// storing bounds one write with its repetitions. A delivery that waits longer is better tried again.
	storing = 5 * time.Second
	// retries of a write that met another one.
	retries = 8
)

// hinter stores that a person is to be looked at. Writes to one person never overlap, and each is for all events that
// came before it began.
type hinter struct {
	// cache reads SmileUsers and SmileConnections; it may lag behind.
	cache client.Reader
	// live reads and writes past the cache.
	live client.Client
	now  func() time.Time
	// life of the server, which no single delivery ends.
	life context.Context

	mu      sync.Mutex
	flights map[types.UID]*queue
	work    sync.WaitGroup
}

// queue is the write to a person that is to come, if any. It is there while one is under way or was just now.
type queue struct{ next *flight }

// flight is one write, and what those who wait for it need to know.
type flight struct {
	user v1alpha1.SmileUser
	wish wish
	done chan struct{}
	err  error
}

// wish is what a write is to store.
type wish struct {
	news   []hook.News
	urgent bool
}

// hint stores a hint for every SmileUser that has the remote user under the same API account, and tells how many have.
func (h *hinter) hint(ctx context.Context, sub *v1alpha1.SmileWebhookSubscription, event smile.Event) (int, error) {
	users, err := h.owners(ctx, sub, event.UserID)
	if err != nil {
		return 0, err
	}
	flights := make([]*flight, 0, len(users))
	for i := range users {
		flights = append(flights, h.join(&users[i], event))
	}
	for _, f := range flights {
		select {
		case <-f.done:
			if f.err != nil {
				return 0, f.err
			}
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	return len(users), nil
}

// owners finds the SmileUsers to hint. Ids are the same word in different accounts: whoever can send events of one must
// not reach the persons of another.
func (h *hinter) owners(ctx context.Context, sub *v1alpha1.SmileWebhookSubscription, userID string) ([]v1alpha1.SmileUser, error) {
	var found v1alpha1.SmileUserList
	if err := h.cache.List(ctx, &found, client.MatchingFields{index.RemoteUser: userID}); err != nil {
		return nil, fmt.Errorf("finding the user: %w", err)
	}
	var users []v1alpha1.SmileUser
	for _, user := range found.Items {
		same, err := h.sameAccount(ctx, sub, &user)
		if err != nil {
			return nil, err
		}
		if same {
			users = append(users, user)
		}
	}
	return users, nil
}

// sameAccount tells whether a user's connection uses the API account of the subscription's: it is the same object, or
// one with the same key pair at the same endpoint.
func (h *hinter) sameAccount(ctx context.Context, sub *v1alpha1.SmileWebhookSubscription, user *v1alpha1.SmileUser) (bool, error) {
	mine := types.NamespacedName{Namespace: sub.Namespace, Name: sub.Spec.ConnectionRef.Name}
	other := types.NamespacedName{Namespace: user.Namespace, Name: user.Spec.ConnectionRef.Name}
	if mine == other {
		return true, nil
	}
	a, err := h.account(ctx, mine)
	if err != nil || a == "" {
		return false, err
	}
	b, err := h.account(ctx, other)
	return a == b, err
}

func (h *hinter) account(ctx context.Context, name types.NamespacedName) (string, error) {
	var conn v1alpha1.SmileConnection
	if err := h.cache.Get(ctx, name, &conn); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return "", nil
		}
		return "", fmt.Errorf("reading the connection: %w", err)
	}
	return connection.ShownAccount(&conn), nil
}

// join takes part in the next write to a person, which begins at once unless one is under way or was just now.
func (h *hinter) join(user *v1alpha1.SmileUser, event smile.Event) *flight {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.flights[user.UID]
	if q == nil {
		q = &queue{}
		if h.flights == nil {
			h.flights = map[types.UID]*queue{}
		}
		h.flights[user.UID] = q
		h.work.Go(func() { h.serve(user.UID, q) })
	}
	if q.next == nil {
		q.next = &flight{done: make(chan struct{})}
	}
	q.next.user = *user
	q.next.wish.urgent = q.next.wish.urgent || event.Type.Urgent()
	q.next.wish.news = hook.AddNews(q.next.wish.news, hook.NewsOf(event))
	return q.next
}

// serve writes for as long as there is something to write.
func (h *hinter) serve(uid types.UID, q *queue) {
	for {
		h.mu.Lock()
		f := q.next
		q.next = nil
		if f == nil {
			delete(h.flights, uid)
			h.mu.Unlock()
			return
		}
		h.mu.Unlock()
		f.err = h.safely(&f.user, f.wish)
		close(f.done)
		select {
		case <-time.After(grouping):
		case <-h.life.Done():
		}
	}
}

// safely makes a panic an error of those who wait for the write: here is no request whose end it would be.
func (h *hinter) safely(user *v1alpha1.SmileUser, w wish) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("storing the hint: a panic; what it was is withheld")
		}
	}()
	return h.store(user, w)
}

// store writes the hint. What the cache shows will do for a write, which fails if it is out of date; that nothing need
// be written is believed of the API server alone.
func (h *hinter) store(user *v1alpha1.SmileUser, w wish) error {
	ctx, cancel := context.WithTimeout(h.life, storing)
	defer cancel()
	now := h.now()
	for try := range retries {
		stored, err := h.write(ctx, user, now, w, try > 0)
		if stored || err != nil {
			return err
		}
		latest := &v1alpha1.SmileUser{}
		err = h.live.Get(ctx, client.ObjectKeyFromObject(user), latest)
		if apierrors.IsNotFound(err) || err == nil && latest.UID != user.UID {
			return nil // who is gone needs no look
		}
		if err != nil {
			return fmt.Errorf("reading the user: %w", err)
		}
		user = latest
	}
	return fmt.Errorf("storing the hint: %d writes in a row met another one", retries)
}

// write tells whether what is stored now makes sure of a look; if not, the object must be read again.
func (h *hinter) write(ctx context.Context, user *v1alpha1.SmileUser, now time.Time, w wish, fresh bool) (stored bool, err error) {
	var before time.Time
	if user.Status.HintedAt != nil {
		before = user.Status.HintedAt.Time
	}
	at, needed := hook.Hint(before, now, w.urgent)
	if !needed && hook.Covered(user.Status, w.news) {
		return fresh, nil
	}
	err = h.patch(ctx, user, at, hook.Merge(user.Status, w.news, at, now))
	switch {
	case err == nil, apierrors.IsNotFound(err):
		return true, nil
	case apierrors.IsConflict(err):
		return false, nil
	default:
		return false, fmt.Errorf("storing the hint: %w", err)
	}
}

// patch fails unless the stored object is the very one that was read.
func (h *hinter) patch(ctx context.Context, user *v1alpha1.SmileUser, at time.Time, hints *v1alpha1.UserHints) error {
	return engine.PatchStatus(ctx, h.live, user, map[string]any{
		"hintedAt": metav1.NewMicroTime(at),
		"hints":    map[string]any{"allAt": hints.AllAt, "accounts": hints.Accounts}, // null removes what is not there any more
	})
}
