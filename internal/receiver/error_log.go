package receiver

import (
	"sync"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// errorInterval is the shortest time between two errors in the log.
const errorInterval = 10 * time.Second

// errorLog logs why events that may be genuine are not accepted. It logs only a few, because each request can cause one, and so
// can forgeries. It logs nothing of a request.
type errorLog struct {
	log logr.Logger
	now func() time.Time

	mu   sync.Mutex
	last time.Time
}

// report logs an error, with the name of the subscription if it is known.
func (l *errorLog) report(sub *v1alpha1.SmileWebhookSubscription, err error, message string) {
	if !l.due() {
		return
	}
	log := l.log
	if sub != nil {
		log = log.WithValues("subscription", client.ObjectKeyFromObject(sub).String())
	}
	log.Error(err, message)
}

func (l *errorLog) due() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if since := now.Sub(l.last); since >= 0 && since < errorInterval {
		return false
	}
	l.last = now
	return true
}
