// Command bench measures what the operator promises: how often it calls Smile, how often it writes to the API server,
// how long it takes and how much memory. It runs the operator as a process, with the rights of its service account, on
// a real control plane and a sandbox of Smile, and believes only what others count: the sandbox's journal, the API
// server's audit log, a watch of its own, and /proc.
//
// Environment: BENCH=full measures 10,000 users instead of 1,000, BENCH_USERS any other number, BENCH_ONLY some of the
// scenarios, by name and separated by commas. BENCH_OUTPUT_INTERVAL is the operator's --output-check-interval in the
// scenario outputs, 5m when it is not set.
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

// Exit codes beside 0.
const (
	exitFailed      = 1
	exitInterrupted = 130
)

// resultFile is written to the root of the module.
const resultFile = "bench.json"

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

// run measures, prints and writes down. It gives the exit code: figures that miss their target are a result, not a
// failure.
func run(ctx context.Context, out io.Writer, options options) int {
	b := &bench{options: options, progress: progress{out: out, began: time.Now()}}
	err := b.measure(ctx)
	fmt.Fprintf(out, "\n%s", b.result.table())
	if b.root != "" && len(b.result.Figures) > 0 {
		path := filepath.Join(b.root, resultFile)
		err = errors.Join(err, b.result.write(path))
		fmt.Fprintf(out, "\nWritten to %s.\n", path)
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(out, "Interrupted. Nothing is left running.")
		return exitInterrupted
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

	root     string // of the module
	binaries string // the directory of what was built
	result   result
	// reference is how long the bare loop took to create everybody; 0 when it did not run.
	reference time.Duration
}

// measure runs one scenario after the other. One that fails does not keep the others from being measured.
func (b *bench) measure(ctx context.Context) error {
	b.result.Environment = environment(b.users)
	var err error
	if b.root, err = controlplane.ModuleRoot(); err != nil {
		return err
	}
	if b.binaries, err = os.MkdirTemp("", "smile-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.binaries) }()
	if err := b.build(ctx); err != nil {
		return err
	}
	var failures []error
	for _, s := range scenarios {
		if ctx.Err() != nil || !b.wanted(s.name) {
			continue
		}
		figures, err := b.play(ctx, s)
		b.result.add(figures...)
		if err != nil {
			b.say("failed: %v", err)
			failures = append(failures, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errors.Join(failures...)
}

// play runs a scenario on a control plane and a Smile of its own, and leaves nothing of them.
func (b *bench) play(ctx context.Context, s scenario) (figures []figure, err error) {
	b.headline("%s: %s", s.name, s.title(b.options))
	limited, cancel := context.WithTimeout(ctx, s.limit(b.options))
	defer cancel()
	st, err := b.newStage(limited, s)
	defer func() { err = errors.Join(err, st.clear()) }()
	if err != nil {
		return nil, err
	}
	figures, err = s.run(limited, st)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w\n%s", err, st.explain())
	}
	for _, f := range figures {
		b.say("%s: %s (target %s)", f.Name, f.measured(), f.target())
	}
	return figures, err
}

// progress tells what is being done.
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
