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
	// writeInterval is the shortest time between two writes to one SmileUser. Events that come in between are written together.
	writeInterval = 100 * time.Millisecond
	// storeTimeout limits one write with its retries. After that, it is better if Smile sends the event again.
	storeTimeout = 5 * time.Second
	// retries of a write that conflicts.
	retries = 8
)

// hinter stores in SmileUsers that they must be read. Writes to one SmileUser never overlap, and each covers all events that came
// before it began.
type hinter struct {
	// cache reads SmileUsers and SmileConnections; it may lag.
	cache client.Reader
	// live bypasses the cache.
	live client.Client
	now  func() time.Time
	// life of the server: a write does not end with the request that caused it.
	life context.Context

	mu     sync.Mutex
	writes map[types.UID]*writeQueue
	work   sync.WaitGroup
}

// writeQueue holds the next write to a SmileUser, if any. It exists while a write is running, and for writeInterval after it.
type writeQueue struct{ next *pendingWrite }

// pendingWrite is a write that several requests may wait for.
type pendingWrite struct {
	user    v1alpha1.SmileUser
	content content
	done    chan struct{}
	err     error
}

// content is what a write stores.
type content struct {
	news   []hook.News
	urgent bool
}

// hint stores a hint in every SmileUser that has the remote user under the same API account, and returns their number.
func (h *hinter) hint(ctx context.Context, sub *v1alpha1.SmileWebhookSubscription, event smile.Event) (int, error) {
	users, err := h.owners(ctx, sub, event.UserID)
	if err != nil {
		return 0, err
	}
	writes := make([]*pendingWrite, 0, len(users))
	for i := range users {
		writes = append(writes, h.join(&users[i], event))
	}
	for _, write := range writes {
		select {
		case <-write.done:
			if write.err != nil {
				return 0, write.err
			}
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	return len(users), nil
}

// owners returns the SmileUsers that have a remote user. Ids may be equal in different API accounts: events of one account must
// not affect the users of another.
func (h *hinter) owners(
	ctx context.Context, sub *v1alpha1.SmileWebhookSubscription, userID string,
) ([]v1alpha1.SmileUser, error) {
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

// sameAccount reports whether a user and a subscription use the same API account: the same SmileConnection, or two with the same
// key pair and endpoint.
func (h *hinter) sameAccount(
	ctx context.Context, sub *v1alpha1.SmileWebhookSubscription, user *v1alpha1.SmileUser,
) (bool, error) {
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

// join adds an event to the next write to a SmileUser, which begins at once unless one is running or has just ended.
func (h *hinter) join(user *v1alpha1.SmileUser, event smile.Event) *pendingWrite {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.writes[user.UID]
	if q == nil {
		q = &writeQueue{}
		if h.writes == nil {
			h.writes = map[types.UID]*writeQueue{}
		}
		h.writes[user.UID] = q
		h.work.Go(func() { h.serve(user.UID, q) })
	}
	if q.next == nil {
		q.next = &pendingWrite{done: make(chan struct{})}
	}
	q.next.user = *user
	q.next.content.urgent = q.next.content.urgent || event.Type.Urgent()
	q.next.content.news = hook.AddNews(q.next.content.news, hook.NewsOf(event))
	return q.next
}

// serve writes until there is nothing left to write.
func (h *hinter) serve(uid types.UID, q *writeQueue) {
	for {
		h.mu.Lock()
		write := q.next
		q.next = nil
		if write == nil {
			delete(h.writes, uid)
			h.mu.Unlock()
			return
		}
		h.mu.Unlock()
		write.err = h.safely(&write.user, write.content)
		close(write.done)
		select {
		case <-time.After(writeInterval):
		case <-h.life.Done():
		}
	}
}

// safely turns a panic into an error of the requests that wait for the write. There is no other place that would recover it.
func (h *hinter) safely(user *v1alpha1.SmileUser, c content) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("storing the hint: a panic, whose value is not logged")
		}
	}()
	return h.store(user, c)
}

// store writes the hint. What the cache shows suffices to write, because a write to an outdated object fails. But only the API
// server can show that no write is needed.
func (h *hinter) store(user *v1alpha1.SmileUser, c content) error {
	ctx, cancel := context.WithTimeout(h.life, storeTimeout)
	defer cancel()
	for try := range retries {
		// Each try has its own time: a write that conflicts may have stored a hint of another event, which an earlier time would
		// set back.
		stored, err := h.write(ctx, user, h.now(), c, try > 0)
		if stored || err != nil {
			return err
		}
		latest := &v1alpha1.SmileUser{}
		err = h.live.Get(ctx, client.ObjectKeyFromObject(user), latest)
		if apierrors.IsNotFound(err) || err == nil && latest.UID != user.UID {
			return nil // the SmileUser was deleted
		}
		if err != nil {
			return fmt.Errorf("reading the user: %w", err)
		}
		user = latest
	}
	return fmt.Errorf("storing the hint: %d writes in a row conflicted", retries)
}

// write returns whether the stored object now requests a read; if not, it must be read again. fresh is whether the object comes
// from the API server.
func (h *hinter) write(
	ctx context.Context, user *v1alpha1.SmileUser, now time.Time, c content, fresh bool,
) (stored bool, err error) {
	var before time.Time
	if user.Status.HintedAt != nil {
		before = user.Status.HintedAt.Time
	}
	at, needed := hook.Hint(before, now, c.urgent)
	if !needed && hook.Covered(user.Status, c.news) {
		return fresh, nil
	}
	err = h.patch(ctx, user, at, hook.Merge(user.Status, c.news, at, now))
	switch {
	case err == nil, apierrors.IsNotFound(err):
		return true, nil
	case apierrors.IsConflict(err):
		return false, nil
	default:
		return false, fmt.Errorf("storing the hint: %w", err)
	}
}

// patch fails if the stored object is not exactly the one that was read.
func (h *hinter) patch(ctx context.Context, user *v1alpha1.SmileUser, at time.Time, hints *v1alpha1.UserHints) error {
	return engine.PatchStatus(ctx, h.live, user, map[string]any{
		"hintedAt": metav1.NewMicroTime(at),
		"hints":    map[string]any{"allAt": hints.AllAt, "accounts": hints.Accounts}, // null removes a stored value
	})
}
