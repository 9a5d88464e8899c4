package main

import (
	"testing"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// TestKindsOfOthers checks the objects of kinds that a cluster has only if somebody installs them: each field must exist.
func TestKindsOfOthers(t *testing.T) {
	files, err := render(t, load(t), everything())
	if err != nil {
		t.Fatal(err)
	}
	found := map[any]int{}
	for _, o := range objects(t, files) {
		into := map[any]any{
			"Certificate": &certmanager.Certificate{}, "HTTPRoute": &gateway.HTTPRoute{}, "ServiceMonitor": &monitoring.ServiceMonitor{},
		}[o["kind"]]
		if into == nil {
			continue
		}
		found[o["kind"]]++
		text, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	if found["Certificate"] != len(endpoints) || found["HTTPRoute"] != len(endpoints) || found["ServiceMonitor"] != 1 {
		t.Errorf("the objects are %v", found)
	}
}
