package mirror

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// changeBuffer is how many changes a channel holds that its receiver has not taken yet.
const changeBuffer = 16 << 10

// Change is a change of a remote user.
type Change struct {
	UserID string
	// Reader is the object whose own reconcile has found the change and need not be woken; empty if there is none.
	Reader types.UID
}

// notifier sends changes to all channels that were opened.
type notifier struct {
	mu       sync.Mutex
	channels []chan event.TypedGenericEvent[Change]
}

func (n *notifier) open() <-chan event.TypedGenericEvent[Change] {
	n.mu.Lock()
	defer n.mu.Unlock()
	channel := make(chan event.TypedGenericEvent[Change], changeBuffer)
	n.channels = append(n.channels, channel)
	return channel
}

// send returns false if a channel was full: then its receiver has not got the change.
func (n *notifier) send(change Change) (sent bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	sent = true
	for _, channel := range n.channels {
		select {
		case channel <- event.TypedGenericEvent[Change]{Object: change}:
		default:
			sent = false
		}
	}
	return sent
}
