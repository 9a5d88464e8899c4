// Package objectmetrics describes the operator's objects to Prometheus. It counts them in the cache at each scrape, so nothing is
// kept between two scrapes. No label is the name of an object or taken from its data.
package objectmetrics

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const (
	// patience is for how long a scrape waits for a cache that is not synced yet.
	patience = time.Second
	// other replaces a type or reason that the operator does not set: somebody else has written it.
	other = "other"
	// unknown is the readiness of an object that has no Ready condition yet.
	unknown = "Unknown"
)

var (
	objectsDesc = prometheus.NewDesc("smile_operator_objects",
		"Objects by the status and reason of their condition Ready. Unknown: not reconciled yet.",
		[]string{"kind", "ready", "reason"}, nil)
	falseDesc = prometheus.NewDesc("smile_operator_objects_condition_false",
		"Objects that have a condition that is False, by condition and reason. Ready is not counted.",
		[]string{"kind", "condition", "reason"}, nil)
	suspendedDesc = prometheus.NewDesc("smile_operator_objects_suspended",
		"Objects whose spec.suspend is true.", []string{"kind"}, nil)
	duplicatesDesc = prometheus.NewDesc("smile_operator_duplicate_users",
		"Users at Smile that are a second user of the same person, as the statuses of SmileUsers show.", nil, nil)
	tokensDesc = prometheus.NewDesc("smile_operator_link_token_remaining_seconds",
		"Histogram of the time until the link tokens in Secrets expire, at the time of the scrape. In the bucket 0 they have expired.",
		nil, nil)
	outputsDesc = prometheus.NewDesc("smile_operator_output_age_seconds",
		"Histogram of the time since the oldest data in each output was fetched, at the time of the scrape.", nil, nil)

	tokenBuckets  = []float64{0, 60, 300, 900, 1800, 3600, 7200}
	outputBuckets = []float64{hour, 6 * hour, day, 7 * day, 30 * day, 60 * day}
)

const (
	hour = 60 * 60
	day  = 24 * hour
)

// object is an object of one of the operator's kinds.
type object interface {
	client.Object
	CommonStatus() *v1alpha1.CommonStatus
	Suspended() bool
}

// Collector is a prometheus.Collector.
type Collector struct {
	// Objects is the cache.
	Objects client.Reader
	// Scheme knows the kinds.
	Scheme *runtime.Scheme
	// Clock that ages are measured by.
	Clock clock.PassiveClock
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{objectsDesc, falseDesc, suspendedDesc, duplicatesDesc, tokensDesc, outputsDesc} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector. Until the cache is synced there are no metrics.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	counted := newCounts(c.Clock.Now())
	for _, kind := range c.kinds() {
		list, err := c.Scheme.New(v1alpha1.GroupVersion.WithKind(kind + "List"))
		if err != nil {
			return // the kind comes from the scheme
		}
		if err := c.Objects.List(ctx, list.(client.ObjectList), client.UnsafeDisableDeepCopy); err != nil {
			return
		}
		counted.suspended[kind] = 0
		_ = meta.EachListItem(list, func(item runtime.Object) error {
			counted.add(kind, item.(object))
			return nil
		})
	}
	counted.send(metrics)
}

// kinds are the names of the operator's kinds, in order.
func (c *Collector) kinds() []string {
	var kinds []string
	for name, shape := range c.Scheme.KnownTypes(v1alpha1.GroupVersion) {
		kind, isList := strings.CutSuffix(name, "List")
		if isList && shape.PkgPath() == v1alpha1Package {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// known returns a value of a closed set, or other.
func known(set []string, value string) string {
	if slices.Contains(set, value) {
		return value
	}
	return other
}

// readiness returns the labels of an object's condition Ready.
func readiness(conditions []metav1.Condition) (ready, reason string) {
	found := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if found == nil {
		return unknown, ""
	}
	return string(found.Status), known(v1alpha1.Reasons, found.Reason)
}
