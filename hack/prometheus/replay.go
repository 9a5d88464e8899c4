package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/teststorage"
)

// scrape is what the operator answered at a time; nothing if it did not.
type scrape struct {
	at   time.Time
	text []byte
}

// readScrapes reads the files of a directory, which are named after their time in milliseconds: 1700000000000.prom.
func readScrapes(dir string) ([]scrape, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.prom"))
	if err != nil {
		return nil, err
	}
	var all []scrape
	for _, file := range files {
		millis, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(file), ".prom"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is not named after its time: %w", file, err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all = append(all, scrape{time.UnixMilli(millis), text})
	}
	slices.SortFunc(all, func(a, b scrape) int { return a.at.Compare(b.at) })
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no scrapes", dir)
	}
	return all, nil
}

// prometheus stores scrapes and evaluates expressions, as Prometheus does.
type prometheus struct {
	storage *teststorage.TestStorage
	engine  *promql.Engine
	// present are the series of the last scrape.
	present map[string]labels.Labels
}

func newPrometheus() (*prometheus, error) {
	stored, err := teststorage.NewWithError()
	if err != nil {
		return nil, err
	}
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: parser.NewParser(parser.Options{}),
	})
	return &prometheus{storage: stored, engine: engine}, nil
}

func (p *prometheus) close() error { return p.storage.Close() }

// store stores a scrape. Series that are no longer there become stale.
func (p *prometheus) store(ctx context.Context, s scrape) error {
	textParser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := textParser.TextToMetricFamilies(bytes.NewReader(s.text))
	if err != nil {
		return err
	}
	at := s.at.UnixMilli()
	appender := p.storage.Appender(ctx)
	present := map[string]labels.Labels{}
	for _, family := range families {
		samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.TimeFromUnixNano(s.at.UnixNano())}, family)
		if err != nil {
			return err
		}
		for _, sample := range samples {
			if err := appendSample(appender, present, sample, at); err != nil {
				return err
			}
		}
	}
	for name, series := range p.present {
		if _, ok := present[name]; !ok {
			if _, err := appender.Append(0, series, at, math.Float64frombits(value.StaleNaN)); err != nil {
				return err
			}
		}
	}
	p.present = present
	return appender.Commit()
}

func appendSample(to storage.Appender, present map[string]labels.Labels, sample *model.Sample, at int64) error {
	builder := labels.NewBuilder(labels.EmptyLabels())
	for name, text := range sample.Metric {
		builder.Set(string(name), string(text))
	}
	builder.Set("instance", "operator")
	series := builder.Labels()
	present[series.String()] = series
	_, err := to.Append(0, series, at, float64(sample.Value))
	return err
}

// firing evaluates rules at a time, and returns which alerts fire.
func (p *prometheus) firing(ctx context.Context, all []*rules.AlertingRule, at time.Time) (names []string, err error) {
	query := rules.EngineQueryFunc(p.engine, p.storage)
	for _, rule := range all {
		if _, err := rule.Eval(ctx, 0, at, query, nil, 0); err != nil {
			return nil, fmt.Errorf("%s: %w", rule.Name(), err)
		}
		rule.SetEvaluationTimestamp(at)
		if rule.State() == rules.StateFiring {
			names = append(names, rule.Name())
		}
	}
	return names, nil
}
