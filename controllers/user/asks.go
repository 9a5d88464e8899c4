package user

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
)

// asks is since when this process knows of the looks that people ask for with an annotation: a read that began later
// will do, whoever it was made for.
type asks struct {
	mu     sync.Mutex
	byName map[types.NamespacedName]ask
}

type ask struct {
	value string
	since time.Time
}

func (a *asks) since(user *v1alpha1.SmileUser, now time.Time) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	name, value := client.ObjectKeyFromObject(user), engine.Echo(user, v1alpha1.AnnotationRequestedAt)
	if known, ok := a.byName[name]; ok && known.value == value {
		return known.since
	}
	if a.byName == nil {
		a.byName = map[types.NamespacedName]ask{}
	}
	a.byName[name] = ask{value, now}
	return now
}

func (a *asks) forget(name types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byName, name)
}
