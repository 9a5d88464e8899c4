package receiver

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
)

// coarse is how often it is stored that events come.
const coarse = 10 * time.Minute

// lastEvent stores, now and then, that a subscription gets events. It is for people to see: that it fails matters to none.
type lastEvent struct {
	live client.Client
	now  func() time.Time

	mu   sync.Mutex
	told map[types.UID]time.Time
}

func (l *lastEvent) tell(ctx context.Context, sub *v1alpha1.SmileWebhookSubscription) {
	now := l.now()
	if !l.due(sub, now) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	// Of several replicas whose caches show it due, one writes.
	if engine.PatchStatus(ctx, l.live, sub, map[string]any{"lastEventAt": metav1.NewTime(now)}) != nil {
		l.forget(sub.UID) // the next event sees whether it was another replica that wrote
	}
}

func (l *lastEvent) forget(uid types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.told, uid)
}

func (l *lastEvent) due(sub *v1alpha1.SmileWebhookSubscription, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	shown := sub.Status.LastEventAt
	if shown != nil && near(shown.Time, now) || near(l.told[sub.UID], now) {
		return false
	}
	if l.told == nil || len(l.told) >= maxPairs {
		l.told = map[types.UID]time.Time{}
	}
	l.told[sub.UID] = now
	return true
}

// near tells whether a time will do for now. What is far ahead is of a clock that was wrong.
func near(at, now time.Time) bool { return now.Sub(at).Abs() < coarse }
