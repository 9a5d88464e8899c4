package output

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/identity"
)

const (
	// identityCheckInterval is the shortest time between two reads of the identity Secret, however often metrics are scraped.
	identityCheckInterval = 10 * time.Second
	identityCheckTimeout  = 2 * time.Second
)

var identityDesc = prometheus.NewDesc("smile_operator_identity_secret_intact",
	"1 if the identity Secret holds the key that this process uses; 0 if the Secret is missing or holds another key. Absent if it cannot be read.",
	nil, nil)

// IdentityCheck is a prometheus.Collector that compares the identity Secret with the key in use. A running process does not need
// the Secret, so only this shows its loss before the next start.
type IdentityCheck struct {
	live      client.Reader
	namespace string
	key       identity.Key
	clock     clock.PassiveClock

	mu        sync.Mutex
	checkedAt time.Time
	// intact is nil if the Secret could not be read.
	intact *bool
}

// NewIdentityCheck makes a check of the Secret in a namespace.
func NewIdentityCheck(live client.Reader, namespace string, key identity.Key, now clock.PassiveClock) *IdentityCheck {
	return &IdentityCheck{live: live, namespace: namespace, key: key, clock: now}
}

// Describe implements prometheus.Collector.
func (c *IdentityCheck) Describe(descs chan<- *prometheus.Desc) { descs <- identityDesc }

// Collect implements prometheus.Collector.
func (c *IdentityCheck) Collect(metrics chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.clock.Now(); c.checkedAt.IsZero() || now.Sub(c.checkedAt) >= identityCheckInterval {
		c.checkedAt, c.intact = now, c.check()
	}
	if c.intact == nil {
		return
	}
	value := 0.0
	if *c.intact {
		value = 1
	}
	metrics <- prometheus.MustNewConstMetric(identityDesc, prometheus.GaugeValue, value)
}

func (c *IdentityCheck) check() *bool {
	ctx, cancel := context.WithTimeout(context.Background(), identityCheckTimeout)
	defer cancel()
	stored, err := readIdentity(ctx, c.live, c.namespace)
	if client.IgnoreNotFound(err) != nil {
		return nil
	}
	key, invalid := identity.ParseKey(stored)
	const purpose = "identity Secret"
	return new(!apierrors.IsNotFound(err) && invalid == nil && key.Fingerprint(purpose) == c.key.Fingerprint(purpose))
}
