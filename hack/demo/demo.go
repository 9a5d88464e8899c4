package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/internal/controlplane"
)

// explainTimeout bounds how long a failure is looked into.
const explainTimeout = 15 * time.Second

// step is one thing to do. Its run returns why the demo cannot go on.
type step struct {
	name string
	run  func(*demo, context.Context) error
}

// demo is one run: where it writes, what it has started, and how to undo that.
type demo struct {
	out   io.Writer
	began time.Time
	// fail ends the context of all steps.
	fail context.CancelCauseFunc
	undo []func() error

	root    string // of the module: where commands run
	assets  string // the directory of kubectl and the control plane's binaries
	dir     string // of everything that this run writes
	plane   *controlplane.ControlPlane
	sandbox string // its URL
	// keepLogs is decided when the end is known; kept says where they are.
	keepLogs bool
	kept     string
}

func newDemo(out io.Writer, fail context.CancelCauseFunc) *demo {
	return &demo{out: out, began: time.Now(), fail: fail}
}

// play runs the steps in order, up to the first that fails.
func (d *demo) play(ctx context.Context, steps []step) error {
	for i, s := range steps {
		fmt.Fprint(d.out, stepLine(time.Since(d.began), i+1, len(steps), s.name))
		err := s.run(d, ctx)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("step %d/%d (%s): %w", i+1, len(steps), s.name, err)
		}
	}
	return nil
}

// stay waits for a signal, which is no error, or for something to go wrong.
func (d *demo) stay(ctx, signals context.Context) error {
	fmt.Fprintf(d.out, `
All of it keeps running. Ctrl-C stops it.

  export KUBECONFIG=%s
  export PATH=%s:$PATH

  sandbox  %s
  logs     %s
`, d.path(adminAccess), d.assets, d.sandbox, d.dir)
	<-ctx.Done()
	select {
	case <-signals.Done():
		return nil
	default:
		return context.Cause(ctx)
	}
}

// explain tells of a failure all that helps to find its cause.
func (d *demo) explain(ctx context.Context, err error) {
	ctx, cancel := context.WithTimeout(ctx, explainTimeout)
	defer cancel()
	fmt.Fprintf(d.out, "\nFailed: %v\n", err)
	if d.dir == "" {
		return
	}
	if table, err := d.kubectl(ctx, "get", "smile", "-o", "wide"); err == nil && table != "" {
		fmt.Fprintf(d.out, "\n$ kubectl get smile -o wide\n%s", table)
	}
	for _, program := range []string{sandboxProgram, operatorProgram} {
		if log, err := os.ReadFile(d.log(program)); err == nil {
			fmt.Fprintf(d.out, "\nThe end of the log of %s:\n%s", program, indent(tail(string(log), tailLines)))
		}
	}
}

// later has f called by clear, before what was registered earlier.
func (d *demo) later(f func() error) { d.undo = append(d.undo, f) }

// clear stops all that was started, also after an error.
func (d *demo) clear(keepLogs bool) error {
	d.keepLogs = keepLogs
	var errs []error
	for _, f := range slices.Backward(d.undo) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

func (d *demo) log(program string) string { return d.path(program + ".log") }

// note adds lines to a step.
func (d *demo) note(lines ...string) {
	for _, line := range lines {
		fmt.Fprintln(d.out, noteIndent+line)
	}
}

// saveLogs moves the logs out of the directory that is going to be removed, if
// they are to be kept.
func (d *demo) saveLogs() error {
	if !d.keepLogs {
		return nil
	}
	logs, err := filepath.Glob(d.path("*.log"))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "smile-demo-logs-")
	if err != nil {
		return err
	}
	d.kept = "Logs: " + dir
	for _, log := range logs {
		if err := os.Rename(log, filepath.Join(dir, filepath.Base(log))); err != nil {
			return err
		}
	}
	return nil
}
