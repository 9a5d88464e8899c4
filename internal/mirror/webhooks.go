package mirror

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// Webhook is a webhook at Smile that an operator registered.
type Webhook struct {
	ID   string
	Name hook.Name

	// events that it sends, as the listing showed them.
	events []smile.EventType
	// seen is a keyed hash of the other properties that a listing shows. It includes the secret, which is not kept otherwise.
	seen [sha256.Size]byte
	// hidden is whether the listing did not show the secret.
	hidden bool
	key    *[sha256.Size]byte
}

// Is reports whether the webhook is as it was registered, as far as the listing shows. It may send more types of events: Smile
// may add some.
func (w Webhook) Is(wanted smile.NewWebhook) bool {
	secret := wanted.Secret.Reveal()
	if w.hidden {
		secret = ""
	}
	seen := digest(w.key, smile.Webhook{
		URL: wanted.URL, Active: true, IncludePayload: wanted.IncludePayload, Secret: smile.NewSensitive(secret),
	})
	return hmac.Equal(seen[:], w.seen[:]) && wanted.CoveredBy(w.events)
}

func digest(key *[sha256.Size]byte, w smile.Webhook) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, key[:])
	flags := byte(0)
	if w.Active {
		flags |= 1
	}
	if w.IncludePayload {
		flags |= 2
	}
	mac.Write([]byte{flags})
	mac.Write([]byte(w.URL.Reveal()))
	mac.Write([]byte{0})
	mac.Write([]byte(w.Secret.Reveal()))
	mac.Sum(sum[:0])
	return sum
}

// webhooks is the last listing of webhooks, for all subscriptions of an API account.
type webhooks struct {
	clock  clock.PassiveClock
	mu     sync.Mutex
	key    *[sha256.Size]byte
	readAt time.Time
	// running is closed when the listing that is running has ended; nil if none is.
	running chan struct{}
	listed  []Webhook
}

func newWebhooks(clock clock.PassiveClock) *webhooks {
	w := &webhooks{clock: clock, key: new([sha256.Size]byte)}
	_, _ = rand.Read(w.key[:]) // never fails
	return w
}

// Webhooks returns the webhooks that operators registered with this API account, from a listing that began at notBefore or later,
// and when it began. One listing serves all callers.
func (m *Mirror) Webhooks(ctx context.Context, notBefore time.Time) ([]Webhook, time.Time, error) {
	for {
		running, mine, readAt := m.webhooks.enter(notBefore)
		switch {
		case running == nil:
			return m.webhooks.all(), readAt, nil
		case mine:
			if err := m.webhooks.list(ctx, m.client, readAt); err != nil {
				return nil, time.Time{}, err
			}
		default:
			select {
			case <-running:
			case <-ctx.Done():
				return nil, time.Time{}, context.Cause(ctx)
			}
		}
	}
}

// enter returns the running listing to wait for, or a new one that the caller must make (mine). running is nil if the last
// listing suffices.
func (w *webhooks) enter(notBefore time.Time) (running chan struct{}, mine bool, readAt time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.readAt.IsZero() && !w.readAt.Before(notBefore):
		return nil, false, w.readAt
	case w.running != nil:
		return w.running, false, time.Time{}
	}
	w.running = make(chan struct{})
	return w.running, true, w.clock.Now()
}

// list makes the listing of a caller that has entered. However it ends, even by a panic, the other callers continue.
func (w *webhooks) list(ctx context.Context, client *smile.Client, readAt time.Time) error {
	defer w.leave()
	listed, err := listWebhooks(connection.WithAll(ctx), client, w.key)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listed, w.readAt = listed, readAt
	return nil
}

func (w *webhooks) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.running)
	w.running = nil
}

func (w *webhooks) all() []Webhook {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.listed)
}

func listWebhooks(ctx context.Context, client *smile.Client, key *[sha256.Size]byte) ([]Webhook, error) {
	var found []Webhook
	for remote, err := range client.Webhooks(ctx) {
		if err != nil {
			return nil, err
		}
		if name, ok := hook.ParseName(remote.Name); ok {
			found = append(found, Webhook{
				ID: remote.ID, Name: name, events: remote.EventTypes,
				seen: digest(key, remote), hidden: remote.Secret.Reveal() == "", key: key,
			})
		}
	}
	return found, nil
}

// WebhooksOf are the webhooks of a listing that were registered for one object.
func WebhooksOf(listed []Webhook, uid types.UID) []Webhook {
	return slices.DeleteFunc(slices.Clone(listed), func(w Webhook) bool { return w.Name.UID != uid })
}

// DropWebhook removes a webhook that was deleted after the last listing.
func (m *Mirror) DropWebhook(id string) {
	m.webhooks.mu.Lock()
	defer m.webhooks.mu.Unlock()
	m.webhooks.listed = slices.DeleteFunc(m.webhooks.listed, func(w Webhook) bool { return w.ID == id })
}
