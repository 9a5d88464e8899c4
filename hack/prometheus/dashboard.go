package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// readQueries reads the queries of a dashboard of Grafana.
func readQueries(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var queries []string
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, target.Expr)
		}
	}
	if len(queries) == 0 {
		return nil, fmt.Errorf("%s has no queries", path)
	}
	return queries, nil
}

// panels are the queries of a dashboard, and which of them have returned a series.
type panels struct {
	queries  map[string]parser.Expr
	answered map[string]bool
}

func newPanels(queries []string, faster int) (*panels, error) {
	p := &panels{queries: map[string]parser.Expr{}, answered: map[string]bool{}}
	for _, text := range queries {
		expr, err := shortened(text, faster)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		p.queries[text], p.answered[text] = expr, false
	}
	return p, nil
}

// query evaluates the queries that have returned nothing so far.
func (p *panels) query(ctx context.Context, from *prometheus, at time.Time) error {
	query := rules.EngineQueryFunc(from.engine, from.storage)
	for text, expr := range p.queries {
		if p.answered[text] {
			continue
		}
		series, err := query(ctx, expr.String(), at)
		if err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		p.answered[text] = len(series) > 0
	}
	return nil
}
