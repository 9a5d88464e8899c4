package receiver

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// coarse is how often it is stored that events come.
const coarse = 10 * time.Minute

// tidings stores, now and then, that a subscription gets events. It is for people to see: that it fails matters to none.
type tidings struct {
	live client.Client
	now  func() time.Time

	mu   sync.Mutex
	told map[types.UID]time.Time
}

func (t *tidings) tell(ctx context.Context, sub *v1alpha1.SmileWebhookSubscription) {
	now := t.now()
	if !t.due(sub, now) {
		return
	}
	data, err := json.Marshal(map[string]any{
		// Of several replicas whose caches show it due, one writes.
		"metadata": map[string]any{"uid": sub.UID, "resourceVersion": sub.ResourceVersion},
		"status":   map[string]any{"lastEventAt": metav1.NewTime(now)},
	})
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err = t.live.Status().Patch(ctx, sub.DeepCopy(), client.RawPatch(types.MergePatchType, data))
	if apierrors.IsConflict(err) {
		t.forget(sub.UID) // the next event sees whether it was another replica that wrote
	}
}

func (t *tidings) forget(uid types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.told, uid)
}

func (t *tidings) due(sub *v1alpha1.SmileWebhookSubscription, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, ok := t.told[sub.UID]
	if sub.Status.LastEventAt != nil && now.Sub(sub.Status.LastEventAt.Time) < coarse || ok && now.Sub(last) < coarse {
		return false
	}
	if t.told == nil || len(t.told) >= maxPairs {
		t.told = map[types.UID]time.Time{}
	}
	t.told[sub.UID] = now
	return true
}
