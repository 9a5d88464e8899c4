// Command demo shows the operator at work on this machine, offline: it starts
// a real control plane, a Smile sandbox and the operator, applies the samples,
// does what their person would do, shows the result, and stops everything.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
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

func main() {
	stay := flag.Bool("stay", false, "leave everything running until interrupted")
	flag.Parse()
	ctrllog.SetLogger(logr.Discard())
	ctx, release := controlplane.UntilInterrupted(context.Background())
	code := run(ctx, os.Stdout, *stay)
	release()
	os.Exit(code)
}

// run plays the demo and leaves nothing behind, except the logs of a failure.
// It gives the exit code: a signal is the ordinary end of a demo that stays.
func run(signals context.Context, out io.Writer, stay bool) int {
	ctx, fail := context.WithCancelCause(signals)
	defer fail(nil)
	d := newDemo(out, fail)

	err := d.play(ctx, steps)
	if stay && err == nil {
		err = d.stay(ctx, signals)
	}
	interrupted := signals.Err() != nil
	failed := err != nil && !interrupted
	if failed {
		d.explain(context.WithoutCancel(ctx), err)
	}
	fmt.Fprintln(out, "\nStopping ...")
	if left := d.clear(failed); left != nil {
		fmt.Fprintf(out, "Not everything stopped in order: %v\n", left)
		return exitFailed
	}
	took := seconds(time.Since(d.began))
	switch {
	case failed:
		fmt.Fprintf(out, "Failed after %s. Nothing is left running. %s\n", took, d.kept)
		return exitFailed
	case err != nil:
		fmt.Fprintf(out, "Interrupted after %s: %v. Nothing is left running.\n", took, err)
		return exitInterrupted
	}
	fmt.Fprintf(out, "Done after %s. Nothing is left running.\n", took)
	return 0
}
