package connection

import (
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// changed wakes the connections that use a session, or would use it if the pair in their Secret worked.
func (r *Registry) changed(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.connections {
		for _, conn := range []*Connection{r.connections[name], r.good[name]} {
			if conn != nil && conn.session == s {
				r.tell(name)
				break
			}
		}
	}
}

// tell wakes a connection. If the channel is full, nothing is sent: the connection is reconciled every 30 seconds in any case.
func (r *Registry) tell(name types.NamespacedName) {
	obj := &v1alpha1.SmileConnection{}
	obj.Namespace, obj.Name = name.Namespace, name.Name
	select {
	case r.events <- event.TypedGenericEvent[*v1alpha1.SmileConnection]{Object: obj}:
	default:
	}
}
