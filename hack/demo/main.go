// Command demo shows the operator on this machine, offline. It starts a real control plane, a Smile sandbox and the operator,
// applies the samples, links an account as the end user would, shows the result, and stops everything.
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

// Exit codes other than 0.
const (
	exitFailed      = 1
	exitInterrupted = 130
)

func main() {
	stay := flag.Bool("stay", false, "leave everything running until interrupted")
	browser := flag.Bool("browser", false, "have George use Chromium, and save screenshots in bin/")
	flag.Parse()
	ctrllog.SetLogger(logr.Discard())
	ctx, release := controlplane.UntilInterrupted(context.Background())
	chosen := steps
	if *browser {
		chosen = inBrowser()
	}
	code := run(ctx, os.Stdout, chosen, *stay)
	release()
	os.Exit(code)
}

// run runs the demo and returns its exit code. It leaves nothing behind except the logs after a failure. A signal is the normal
// end of a demo that stays.
func run(signals context.Context, out io.Writer, steps []step, stay bool) int {
	ctx, fail := context.WithCancelCause(signals)
	defer fail(nil)
	d := newDemo(out, fail)

	err := d.runSteps(ctx, steps)
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
		fmt.Fprintf(out, "Not everything could be stopped: %v\n", left)
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
