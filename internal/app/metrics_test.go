package app

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/smile-operator/smile-operator/internal/broker"
	"github.com/smile-operator/smile-operator/internal/broker/wink"
)

var writeMetrics = flag.Bool("write", false, "write docs/metrics.md instead of comparing it")

const metricsPage = "../../docs/metrics.md"

// described is a metric as its description gives it.
type described struct{ name, help, labels string }

var description = regexp.MustCompile(`^Desc\{fqName: "(smile_operator_\w+)", help: "(.*)", unit: "", constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// The metrics page lists exactly the metrics that the operator registers.
func TestMetricsPage(t *testing.T) {
	want := pageOfMetrics(operatorMetrics(t))
	if *writeMetrics {
		if err := os.WriteFile(metricsPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/metrics.md is not up to date (make generate writes it):\n%s", diff)
	}
}

func operatorMetrics(t *testing.T) []described {
	t.Helper()
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	options, err := parsed(t)
	if err != nil {
		t.Fatal(err)
	}
	kube := fake.NewClientBuilder().WithScheme(scheme).Build()
	controllers, err := NewControllers(t.Context(), options, Environment{
		Objects: kube, Live: kube, Fence: alwaysLeading, Clock: clock.RealClock{}, AuditLog: new(bytes.Buffer),
	})
	if err != nil {
		t.Fatal(err)
	}
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		for _, collector := range append(controllers.collectors, broker.NewMetrics(), wink.NewMetrics(), metrics.Registry.(prometheus.Collector)) {
			collector.Describe(descs)
		}
	}()
	var all []described
	for desc := range descs {
		match := description.FindStringSubmatch(desc.String())
		if match == nil {
			if strings.Contains(desc.String(), `"smile_operator_`) {
				t.Errorf("not understood: %s", desc)
			}
			continue // of a library
		}
		labels := regexp.MustCompile(`="[^"]*"`).ReplaceAllString(strings.Trim(match[3]+","+match[4], ","), "")
		all = append(all, described{match[1], strings.ReplaceAll(match[2], `\"`, `"`), labels})
	}
	slices.SortFunc(all, func(a, b described) int { return cmp.Compare(a.name, b.name) })
	return slices.Compact(all)
}

func pageOfMetrics(all []described) []byte {
	var page bytes.Buffer
	page.WriteString(`# Metrics

This page is generated from the metrics that the operator registers.

The operator serves its metrics at ` + "`/metrics`" + ` of ` + "`--metrics-bind-address`" + `: on loopback as plain HTTP, on any other address over HTTPS,
to callers whose RBAC permits ` + "`get`" + ` on ` + "`/metrics`" + `. [config/prometheus](../config/prometheus) has a Service, a ServiceMonitor for the
Prometheus operator, a role for Prometheus, the alerts, and a dashboard. Each alert has a [runbook](runbooks).

- No label contains an id, a name of an object, or personal data. All labels have few values, so the number of series does not
  grow with the number of objects.
- Each replica counts the objects in its own cache: use ` + "`max`" + `, not ` + "`sum`" + `, over the replicas. Calls, mirrors, budgets and overdue
  objects are those of the replica that leads.
- The names of counters end in ` + "`_total`" + `. Times are in seconds.
- The Go runtime, the process and controller-runtime (` + "`controller_runtime_*`, `workqueue_*`, `rest_client_*`, `leader_election_*`" + `)
  add their own metrics.

| metric | labels | meaning |
|---|---|---|
`)
	for _, metric := range all {
		var labels []string
		for label := range strings.SplitSeq(metric.labels, ",") {
			if label != "" {
				labels = append(labels, "`"+label+"`")
			}
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", metric.name, strings.Join(labels, ", "), metric.help)
	}
	return page.Bytes()
}

// Labels that could have one value for each object or person are not permitted.
func TestLabelsNameNoObjects(t *testing.T) {
	t.Parallel()
	permitted := strings.Fields("by call code condition directive disposition goversion host how kind lane operation outcome ready reason resource version written")
	for _, metric := range operatorMetrics(t) {
		for label := range strings.SplitSeq(metric.labels, ",") {
			if label != "" && !slices.Contains(permitted, label) {
				t.Errorf("%s has the label %s", metric.name, label)
			}
		}
	}
}
