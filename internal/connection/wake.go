package connection

import (
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// changed wakes the connections that use a session, now or as their former one.
func (r *Registry) changed(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.connections {
		for _, conn := range []*Connection{r.connections[name], r.good[name]} {
			if conn != nil && conn.session == s {
				r.wake(name)
				break
			}
		}
	}
}

// wake queues a connection to be reconciled. If the channel is full, nothing is sent: connections are reconciled every 30 seconds
// anyway.
func (r *Registry) wake(name types.NamespacedName) {
	obj := &v1alpha1.SmileConnection{}
	obj.Namespace, obj.Name = name.Namespace, name.Name
	select {
	case r.events <- event.TypedGenericEvent[*v1alpha1.SmileConnection]{Object: obj}:
	default:
	}
}
