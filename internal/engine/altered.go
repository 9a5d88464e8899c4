package engine

import (
	"encoding/json"
	"hash/maphash"

	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// Altered selects updates whose status is not the one that this process last wrote, or read in a reconcile: somebody wiped
// it, restored it from a backup, or edited it. Otherwise such a status would stay until something else wakes the object. It
// does not select the writes of this process and of receivers.
func (r *Reconciler[T]) Altered() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			obj, ok := e.ObjectNew.(Object)
			return ok && r.memory.altered(obj, r.Clock.Now())
		},
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// ownStatus is the part of a status that only reconciles write, without the fields that receivers write.
func ownStatus(obj Object) any {
	switch obj := obj.(type) {
	case *v1alpha1.SmileConnection:
		return obj.Status
	case *v1alpha1.SmileUser:
		status := obj.Status
		status.HintedAt, status.Hints = nil, nil
		return status
	case *v1alpha1.SmileAccountSync:
		return obj.Status
	case *v1alpha1.SmileWebhookSubscription:
		status := obj.Status
		status.LastEventAt = nil
		return status
	case *v1alpha1.SmileWinkWidget:
		return obj.Status
	default:
		return obj.CommonStatus()
	}
}

var statusSeed = maphash.MakeSeed()

// statusHash is equal for statuses that are stored as equal, apart from the fields that receivers write. It hashes JSON,
// because an object that is about to be written has more precise times than are stored.
func statusHash(obj Object) uint64 {
	text, _ := json.Marshal(ownStatus(obj)) // the API types always can be
	return maphash.Bytes(statusSeed, text)
}
