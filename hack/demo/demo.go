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

// explainTimeout limits how long explain collects information.
const explainTimeout = 15 * time.Second

// step is one step of the demo. An error of its run ends the demo.
type step struct {
	name string
	run  func(*demo, context.Context) error
}

// demo is one run: where it writes, what it started, and how to stop that.
type demo struct {
	out   io.Writer
	began time.Time
	// fail ends the context of all steps.
	fail context.CancelCauseFunc
	undo []func() error

	root    string // of the module: commands run there
	assets  string // directory of kubectl and the control plane's binaries
	dir     string // directory of everything that this run writes
	plane   *controlplane.ControlPlane
	sandbox string // its URL
	api     string // URL of the application API
	bearer  string // token of the backend
	// keepLogs is set after a failure. kept is the message that names their directory.
	keepLogs bool
	kept     string
}

func newDemo(out io.Writer, fail context.CancelCauseFunc) *demo {
	return &demo{out: out, began: time.Now(), fail: fail}
}

// runSteps runs the steps in order, until one fails.
func (d *demo) runSteps(ctx context.Context, steps []step) error {
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

// stay returns nil after a signal, or an error if something ends by itself.
func (d *demo) stay(ctx, signals context.Context) error {
	fmt.Fprintf(d.out, `
Everything keeps running until you press Ctrl-C.

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

// explain prints what helps to find the cause of a failure.
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

// later registers f to be called by clear. What was registered last is called first.
func (d *demo) later(f func() error) { d.undo = append(d.undo, f) }

// clear stops everything that was started. An error does not stop it.
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

// note prints lines below the name of the step.
func (d *demo) note(lines ...string) {
	for _, line := range lines {
		fmt.Fprintln(d.out, noteIndent+line)
	}
}

// saveLogs moves the logs out of the directory before it is removed, if keepLogs is set.
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
