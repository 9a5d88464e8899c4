// Command prometheus evaluates alerts on scrapes of the operator, with the engine of Prometheus. It prints, as JSON, when each
// alert fired for the first time.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/prometheus/rules"
)

func main() {
	alerts := flag.String("alerts", "config/prometheus/alerts.yaml", "PrometheusRule with the alerts")
	faster := flag.Int("faster", 1, "divide all times of the alerts by this")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "prometheus [flags] DIRECTORY, with one file TIME-IN-MILLISECONDS.prom for each scrape")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 || *faster < 1 {
		flag.Usage()
		os.Exit(2)
	}
	fired, err := replay(context.Background(), *alerts, *faster, flag.Arg(0))
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(fired)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// replay returns when each alert fired for the first time; the zero time if it did not.
func replay(ctx context.Context, path string, faster int, dir string) (map[string]time.Time, error) {
	declared, err := readAlerts(path)
	if err != nil {
		return nil, err
	}
	scrapes, err := readScrapes(dir)
	if err != nil {
		return nil, err
	}
	fired := map[string]time.Time{}
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
	defer p.close()
	for _, scrape := range scrapes {
		if err := p.store(scrape); err != nil {
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
	}
	return fired, nil
}
