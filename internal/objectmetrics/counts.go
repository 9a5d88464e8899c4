package objectmetrics

import (
	"reflect"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// v1alpha1Package is where the kinds are declared. The scheme also has types of the API machinery for each group.
var v1alpha1Package = reflect.TypeFor[v1alpha1.SmileUser]().PkgPath()

type (
	readinessOf struct{ kind, ready, reason string }
	conditionOf struct{ kind, condition, reason string }
)

// counts is what a scrape has counted.
type counts struct {
	now        time.Time
	objects    map[readinessOf]int
	conditions map[conditionOf]int
	suspended  map[string]int
	duplicates int
	tokens     histogram
	outputs    histogram
}

func newCounts(now time.Time) *counts {
	return &counts{
		now:     now,
		objects: map[readinessOf]int{}, conditions: map[conditionOf]int{}, suspended: map[string]int{},
		tokens: newHistogram(tokenBuckets), outputs: newHistogram(outputBuckets),
	}
}

func (c *counts) add(kind string, obj object) {
	conditions := obj.CommonStatus().Conditions
	ready, reason := readiness(conditions)
	c.objects[readinessOf{kind, ready, reason}]++
	for i := range conditions {
		if found := &conditions[i]; found.Status == metav1.ConditionFalse && found.Type != v1alpha1.ConditionReady {
			c.conditions[conditionOf{kind, known(v1alpha1.ConditionTypes, found.Type), known(v1alpha1.Reasons, found.Reason)}]++
		}
	}
	if obj.Suspended() {
		c.suspended[kind]++
	}
	switch obj := obj.(type) {
	case *v1alpha1.SmileUser:
		c.duplicates += int(obj.Status.Duplicates)
		if token := obj.Status.LinkToken; token != nil {
			c.tokens.observe(token.ExpiresAt.Sub(c.now))
		}
	case *v1alpha1.SmileAccountSync:
		if oldest := oldestData(obj.Status.Accounts); !oldest.IsZero() {
			c.outputs.observe(c.now.Sub(oldest))
		}
	}
}

// oldestData is when the oldest data in an output was fetched; zero if there is none.
func oldestData(accounts []v1alpha1.SyncedAccount) (oldest time.Time) {
	for i := range accounts {
		for _, data := range accounts[i].Datapoints {
			if oldest.IsZero() || data.FetchedAt.Time.Before(oldest) {
				oldest = data.FetchedAt.Time
			}
		}
	}
	return oldest
}

func (c *counts) send(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value int, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}
	for of, count := range c.objects {
		gauge(objectsDesc, count, of.kind, of.ready, of.reason)
	}
	for of, count := range c.conditions {
		gauge(falseDesc, count, of.kind, of.condition, of.reason)
	}
	for kind, count := range c.suspended {
		gauge(suspendedDesc, count, kind)
	}
	gauge(duplicatesDesc, c.duplicates)
	metrics <- c.tokens.metric(tokensDesc)
	metrics <- c.outputs.metric(outputsDesc)
}

// histogram of values at one time.
type histogram struct {
	count   uint64
	sum     float64
	buckets map[float64]uint64
}

func newHistogram(bounds []float64) histogram {
	buckets := map[float64]uint64{}
	for _, bound := range bounds {
		buckets[bound] = 0
	}
	return histogram{buckets: buckets}
}

func (h *histogram) observe(d time.Duration) {
	value := d.Seconds()
	h.count++
	h.sum += value
	for bound := range h.buckets {
		if value <= bound {
			h.buckets[bound]++
		}
	}
}

func (h *histogram) metric(desc *prometheus.Desc) prometheus.Metric {
	return prometheus.MustNewConstHistogram(desc, h.count, h.sum, h.buckets)
}
