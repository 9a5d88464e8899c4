package user

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
)

// requestedRefreshes remembers when this process first saw each refresh that an annotation requests. Any read that began later
// satisfies the request.
type requestedRefreshes struct {
	mu     sync.Mutex
	byName map[types.NamespacedName]requestedRefresh
}

type requestedRefresh struct {
	value string
	since time.Time
}

// since returns when the present request of a user was first seen, which is now if it was not seen before.
func (r *requestedRefreshes) since(user *v1alpha1.SmileUser, now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	name, value := client.ObjectKeyFromObject(user), engine.Echo(user, v1alpha1.AnnotationRequestedAt)
	if seen, ok := r.byName[name]; ok && seen.value == value {
		return seen.since
	}
	if r.byName == nil {
		r.byName = map[types.NamespacedName]requestedRefresh{}
	}
	r.byName[name] = requestedRefresh{value, now}
	return now
}

func (r *requestedRefreshes) forget(name types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byName, name)
}
