// Command prometheus evaluates the alerts, and the queries of the dashboard, on scrapes of the operator, with the engine of
// Prometheus. It prints, as JSON, when each alert fired for the first time, and whether each query has returned a series.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/prometheus/rules"
)

func main() {
	alerts := flag.String("alerts", "config/prometheus/alerts.yaml", "PrometheusRule with the alerts")
	dashboard := flag.String("dashboard", "config/grafana/smile-operator.json", "dashboard of Grafana")
	faster := flag.Int("faster", 1, "divide all times of the alerts and queries by this")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "prometheus [flags] DIRECTORY, with one file TIME-IN-MILLISECONDS.prom for each scrape")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 || *faster < 1 {
		flag.Usage()
		os.Exit(2)
	}
	result, err := run(context.Background(), *alerts, *dashboard, *faster, flag.Arg(0))
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// result is what is printed.
type result struct {
	// Fired is when each alert fired for the first time; the zero time if it did not.
	Fired map[string]time.Time `json:"fired"`
	// Answered is whether each query has returned a series.
	Answered map[string]bool `json:"answered"`
}

func run(ctx context.Context, alertsFile, dashboardFile string, faster int, dir string) (*result, error) {
	declared, err := readAlerts(alertsFile)
	if err != nil {
		return nil, err
	}
	queries, err := readQueries(dashboardFile)
	if err != nil {
		return nil, err
	}
	scrapes, err := readScrapes(dir)
	if err != nil {
		return nil, err
	}
	shown, err := newPanels(queries, faster)
	if err != nil {
		return nil, err
	}
	fired, err := replay(ctx, declared, shown, faster, scrapes)
	return &result{fired, shown.answered}, err
}

// replay stores the scrapes one by one, and evaluates everything after each. It returns when each alert fired for the first time.
func replay(
	ctx context.Context, declared []alert, shown *panels, faster int, scrapes []scrape,
) (fired map[string]time.Time, err error) {
	fired = map[string]time.Time{}
	var all []*rules.AlertingRule
	for _, alert := range declared {
		rule, err := alert.rule(faster)
		if err != nil {
			return nil, err
		}
		all, fired[alert.Alert] = append(all, rule), time.Time{}
	}
	p, err := newPrometheus()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	for _, scrape := range scrapes {
		if err := p.store(ctx, scrape); err != nil {
			return nil, fmt.Errorf("the scrape at %s: %w", scrape.at, err)
		}
		names, err := p.firing(ctx, all, scrape.at)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if fired[name].IsZero() {
				fired[name] = scrape.at
			}
		}
		if err := shown.query(ctx, p, scrape.at); err != nil {
			return nil, err
		}
	}
	return fired, nil
}
