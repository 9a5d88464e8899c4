package receiver

import (
	"sync"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// complaining is how far apart complaints are at least.
const complaining = 10 * time.Second

// complaints logs why events are not taken that may be genuine: now and then, for each request may cause one, forgeries
// too. Nothing of a request is in them.
type complaints struct {
	log logr.Logger
	now func() time.Time

	mu   sync.Mutex
	last time.Time
}

// about makes a complaint, with the name of the subscription where that is known.
func (c *complaints) about(sub *v1alpha1.SmileWebhookSubscription, err error, message string) {
	if !c.due() {
		return
	}
	log := c.log
	if sub != nil {
		log = log.WithValues("subscription", client.ObjectKeyFromObject(sub).String())
	}
	log.Error(err, message)
}

func (c *complaints) due() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if since := now.Sub(c.last); since >= 0 && since < complaining {
		return false
	}
	c.last = now
	return true
}
