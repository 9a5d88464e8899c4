package main

import (
	"bytes"
	"context"
	"fmt"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"
)

// sizes are the responses that the API server has sent since its start.
type sizes struct{ count, sum float64 }

// secretBytes reads from the API server's metrics how many responses to gets of a Secret it has sent, and their total size.
func (st *stage) secretBytes(ctx context.Context) (sizes, error) {
	clients, err := kubernetes.NewForConfig(st.plane.Config())
	if err != nil {
		return sizes{}, err
	}
	text, err := clients.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return sizes{}, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return sizes{}, err
	}
	const name = "apiserver_response_sizes"
	if families[name] == nil {
		return sizes{}, fmt.Errorf("the API server has no metric %s", name)
	}
	var total sizes
	for _, metric := range families[name].GetMetric() {
		if labeled(metric, "resource", "secrets") && labeled(metric, "verb", "GET") {
			total.count += float64(metric.GetHistogram().GetSampleCount())
			total.sum += metric.GetHistogram().GetSampleSum()
		}
	}
	return total, nil
}

func labeled(metric *dto.Metric, name, value string) bool {
	for _, label := range metric.GetLabel() {
		if label.GetName() == name {
			return label.GetValue() == value
		}
	}
	return false
}
