// Command bench measures what the operator promises: the number of calls to Smile and of writes to the API server, times, and
// memory. It runs the operator as a process, with the rights of its service account, on
// a real control plane and a sandbox of Smile. The operator itself counts nothing. The sources are the sandbox's journal, the API
// server's audit log, a watch of its own, and /proc.
//
// Environment: BENCH=full measures 10,000 users instead of 1,000, BENCH_USERS any other number, BENCH_ONLY some of the
// scenarios, by name and separated by commas. BENCH_OUTPUT_INTERVAL is the operator's --output-check-interval in the
// scenario outputs, 5m when it is not set. BENCH_BASE names a commit whose operator is measured too, for comparison.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/internal/controlplane"
)

// Exit codes other than 0.
const (
	exitFailed      = 1
	exitInterrupted = 130
)

// The files that are written to the root of the module.
const (
	resultFile     = "bench.json"
	comparisonFile = "bench-compare.json"
)

func main() {
	ctrllog.SetLogger(logr.Discard())
	options, err := parseOptions(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
	ctx, release := controlplane.UntilInterrupted(context.Background())
	code := run(ctx, os.Stdout, options)
	release()
	os.Exit(code)
}

// run measures, prints and writes the results, and returns the exit code. Figures that miss their target are a result, not a
// failure. Figures that are worse than those of the base are a failure.
func run(ctx context.Context, out io.Writer, options options) int {
	b := &bench{options: options, progress: progress{out: out, began: time.Now()}}
	err := b.prepared(func() error {
		if options.base != "" {
			return b.compareWith(ctx, options.base)
		}
		return b.measureHead(ctx)
	})
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(out, "Interrupted. Nothing is left running.")
		return exitInterrupted
	case errors.Is(err, errWorse):
		fmt.Fprintf(out, "\n%v\n", err)
		return exitFailed
	case err != nil:
		fmt.Fprintf(out, "\nNot everything was measured:\n%v\n", err)
		return exitFailed
	}
	fmt.Fprintf(out, "Done after %s. Nothing is left running.\n", time.Since(b.began).Round(time.Second))
	return 0
}

// bench is one run.
type bench struct {
	options
	progress

	root string // of the module
	work string // a directory for everything that is built
	// subject is the operator that is measured.
	subject subject
	// reference is the time that the bare loop took to create all users. referenceCPU is the processor time that it and the control
	// plane used for that. Both are 0 if it did not run.
	reference, referenceCPU time.Duration
}

// prepared calls a function that builds something, and removes everything that was built.
func (b *bench) prepared(do func() error) (err error) {
	if b.root, err = controlplane.ModuleRoot(); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("", "smile-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.work) }()
	return do()
}

// head is the operator of the working directory.
func (b *bench) head() subject {
	return subject{name: "head", root: b.root, binaries: filepath.Join(b.work, "head-bin")}
}

// measureHead measures the operator of the working directory once, and writes the result.
func (b *bench) measureHead(ctx context.Context) error {
	if err := b.build(ctx, b.head()); err != nil {
		return err
	}
	measured, err := b.measure(ctx, b.head())
	fmt.Fprintf(b.out, "\n%s", measured.table())
	if len(measured.Figures) > 0 {
		path := filepath.Join(b.root, resultFile)
		err = errors.Join(err, measured.write(path))
		fmt.Fprintf(b.out, "\nWritten to %s.\n", path)
	}
	return err
}

// measure runs one scenario after the other. If one fails, the others are still run.
func (b *bench) measure(ctx context.Context, of subject) (result, error) {
	b.subject, b.reference, b.referenceCPU = of, 0, 0
	measured := result{Environment: environment(b.users)}
	var failures []error
	for _, s := range scenarios {
		if ctx.Err() != nil || !b.wanted(s.name) {
			continue
		}
		began, stop := time.Now(), watchOtherLoad()
		figures, took, err := b.runScenario(ctx, s)
		others, unwatched := stop()
		if unwatched != nil {
			b.say("the load of the machine is not known: %v", unwatched)
		}
		b.say("took %.0f s of %.0f s; other processes: up to %d, on %.2f cores", took.Seconds(), time.Since(began).Seconds(),
			others.Processes, others.Cores)
		measured.Scenarios = append(measured.Scenarios, scenarioResult{s.name, s.workload(b.options), rounded(took.Seconds()), others})
		measured.add(figures...)
		if err != nil {
			b.say("failed: %v", err)
			failures = append(failures, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return measured, errors.Join(failures...)
}

// runScenario runs a scenario on its own control plane and sandbox, and stops both. It returns the time
// between their start and stop.
func (b *bench) runScenario(ctx context.Context, s scenario) (figures []figure, took time.Duration, err error) {
	b.headline("%s: %s", s.name, s.title(b.options))
	limited, cancel := context.WithTimeout(ctx, s.limit(b.options))
	defer cancel()
	st, err := b.newStage(limited, s)
	defer func() { err = errors.Join(err, st.clear()) }()
	if err != nil {
		return nil, 0, err
	}
	began := time.Now()
	figures, err = s.run(limited, st)
	took = time.Since(began)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w\n%s", err, st.explain())
	}
	for _, f := range figures {
		b.say("%s: %s (target %s)", f.Name, f.measured(), f.target())
	}
	return figures, took, err
}

// progress prints what is being done.
type progress struct {
	out   io.Writer
	began time.Time
}

func (p progress) headline(format string, values ...any) {
	fmt.Fprintf(p.out, "\n%s\n", fmt.Sprintf(format, values...))
}

func (p progress) say(format string, values ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, values...), "\n", "\n            ")
	fmt.Fprintf(p.out, "%8.1f s  %s\n", time.Since(p.began).Seconds(), text)
}
