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

// lastEventInterval is how often it is stored that a subscription gets events.
const lastEventInterval = 10 * time.Minute

// lastEvent stores from time to time that a subscription gets events. Only people read it, so a write that fails does not matter.
type lastEvent struct {
	live client.Client
	now  func() time.Time

	mu sync.Mutex
	// recorded is when this process last wrote, by subscription.
	recorded map[types.UID]time.Time
}

func (l *lastEvent) record(ctx context.Context, sub *v1alpha1.SmileWebhookSubscription) {
	now := l.now()
	if !l.due(sub, now) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	// If the caches of several replicas show that it is due, only one of them can write.
	if engine.PatchStatus(ctx, l.live, sub, map[string]any{"lastEventAt": metav1.NewTime(now)}) != nil {
		l.forget(sub.UID) // at the next event the cache shows whether another replica has written
	}
}

func (l *lastEvent) forget(uid types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.recorded, uid)
}

func (l *lastEvent) due(sub *v1alpha1.SmileWebhookSubscription, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	shown := sub.Status.LastEventAt
	if shown != nil && isRecent(shown.Time, now) || isRecent(l.recorded[sub.UID], now) {
		return false
	}
	if l.recorded == nil || len(l.recorded) >= maxPairs {
		l.recorded = map[types.UID]time.Time{}
	}
	l.recorded[sub.UID] = now
	return true
}

// isRecent reports whether a time is near now. A time in the far future is from a clock that was wrong.
func isRecent(at, now time.Time) bool { return now.Sub(at).Abs() < lastEventInterval }
