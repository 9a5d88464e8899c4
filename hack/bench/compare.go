package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// comparedRuns is how often base and head are measured, in turn.
const comparedRuns = 3

var errWorse = errors.New("worse than the base")

// compareWith measures the operator of a commit and that of the working directory in turn, with the same bench. It fails if
// a median of head is more than 10 % worse.
func (b *bench) compareWith(ctx context.Context, commit string) error {
	base, err := b.checkOut(ctx, commit)
	if err != nil {
		return err
	}
	for _, s := range []subject{base, b.head()} {
		if err := b.build(ctx, s); err != nil {
			return err
		}
	}
	found := comparison{Environment: environment(b.users), Base: commit}
	runs, failures := map[string][]result{}, []error{}
	for run := range comparedRuns {
		for _, s := range []subject{base, b.head()} {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			b.headline("run %d of %d: %s", run+1, comparedRuns, s.name)
			measured, err := b.measure(ctx, s)
			if err != nil {
				failures = append(failures, fmt.Errorf("%s, run %d: %w", s.name, run+1, err))
			}
			runs[s.name] = append(runs[s.name], measured)
			found.Scenarios = append(found.Scenarios, measured.Scenarios...)
		}
	}
	found.Figures = compare(runs[base.name], runs[b.head().name])
	path := filepath.Join(b.root, comparisonFile)
	failures = append(failures, found.write(path))
	fmt.Fprintf(b.out, "\n%s\nMedians of %d runs each, written to %s.\n", found.table(), comparedRuns, path)
	if count := found.worse(); count > 0 {
		failures = append(failures, fmt.Errorf("%d figures are more than %.0f %% %w", count, 100*tolerance, errWorse))
	}
	return errors.Join(failures...)
}
