package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"sigs.k8s.io/yaml"
)

// alert is a rule as config/prometheus/alerts.yaml declares it.
type alert struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// readAlerts reads the alerts of a PrometheusRule.
func readAlerts(path string) ([]alert, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rule struct {
		Spec struct {
			Groups []struct {
				Rules []alert `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	if err := yaml.UnmarshalStrict(text, &rule, yaml.DisallowUnknownFields); err != nil && len(rule.Spec.Groups) == 0 {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []alert
	for _, group := range rule.Spec.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no alerts", path)
	}
	return all, nil
}

// rule makes the alert a rule of Prometheus, in which time runs faster by a factor.
func (a *alert) rule(faster int) (*rules.AlertingRule, error) {
	expr, err := shortened(a.Expr, faster)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.Alert, err)
	}
	var hold model.Duration
	if a.For != "" {
		if hold, err = model.ParseDuration(a.For); err != nil {
			return nil, fmt.Errorf("%s: %w", a.Alert, err)
		}
	}
	return rules.NewAlertingRule(a.Alert, expr, time.Duration(hold)/time.Duration(faster), 0,
		labels.FromMap(a.Labels), labels.FromMap(a.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler)), nil
}

// shortened parses an expression, and divides its times by a factor: ranges, and the numbers that metrics in seconds are compared
// with.
func shortened(text string, faster int) (parser.Expr, error) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return nil, err
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.MatrixSelector:
			node.Range /= time.Duration(faster)
		case *parser.BinaryExpr:
			if limit, ok := node.RHS.(*parser.NumberLiteral); ok && node.Op.IsComparisonOperator() && inSeconds(node.LHS) {
				limit.Val /= float64(faster)
			}
		}
		return nil
	})
	return expr, nil
}

// inSeconds reports whether an expression selects a metric in seconds.
func inSeconds(expr parser.Expr) (found bool) {
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok && strings.HasSuffix(selector.Name, "_seconds") {
			found = true
		}
		return nil
	})
	return found
}
