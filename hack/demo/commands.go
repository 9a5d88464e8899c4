package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/child"
)

// patience is how long a process may take to end after an interrupt.
const patience = 25 * time.Second

// pollInterval is how often a log file is read.
const pollInterval = 20 * time.Millisecond

// command returns a command that runs in dir. The end of ctx does not kill it, because it could not clean up then: await and
// serve stop it.
func command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, args...)
	cmd.Dir = dir
	return cmd
}

// await runs a command until it ends, and interrupts it when ctx ends.
func await(ctx context.Context, cmd *exec.Cmd) error {
	c, err := child.Start(cmd)
	if err != nil {
		return err
	}
	select {
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), c.Stop(patience))
	}
}

// output runs a command and returns its standard output. An error quotes its standard error.
func output(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := await(ctx, cmd); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// kubectl runs kubectl as the administrator and returns its output.
func (d *demo) kubectl(ctx context.Context, args ...string) (string, error) {
	cmd := command(ctx, d.root, filepath.Join(d.assets, "kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+d.path(adminAccess), "KUBECACHEDIR="+d.path("cache"))
	return output(ctx, cmd)
}

// do runs kubectl and prints the command without its output.
func (d *demo) do(ctx context.Context, args ...string) error {
	d.note(wrapped(slices.Concat([]string{"kubectl"}, args)...)...)
	_, err := d.kubectl(ctx, args...)
	return err
}

// show runs kubectl and prints the command and its output.
func (d *demo) show(ctx context.Context, args ...string) error {
	text, err := d.kubectl(ctx, args...)
	if err == nil {
		fmt.Fprintf(d.out, "\n$ kubectl %s\n%s", strings.Join(args, " "), text)
	}
	return err
}

// serve starts a program of this module that runs until the end of the demo. If it ends earlier, the demo fails. env is added to
// its environment.
func (d *demo) serve(ctx context.Context, env, program string, args ...string) error {
	d.note(wrapped(slices.Concat([]string{program}, args)...)...)
	log, err := os.Create(d.log(program))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := command(ctx, d.root, d.path(program), args...)
	cmd.Env = append(os.Environ(), env)
	cmd.Stdout, cmd.Stderr = log, log
	c, err := child.Start(cmd)
	if err != nil {
		return err
	}
	d.later(func() error { return c.Stop(patience) })
	d.endsWith(c.Done(), func() error { return fmt.Errorf("%s ended by itself: %s", program, cmd.ProcessState) })
	return nil
}

// endsWith makes the demo fail when done is closed.
func (d *demo) endsWith(done <-chan struct{}, reason func() error) {
	go func() {
		<-done
		d.fail(reason())
	}()
}

// firstLine waits for the first line of a file that is being written, and returns what follows prefix in it.
func firstLine(ctx context.Context, path, prefix string) (string, error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if line, _, complete := strings.Cut(string(text), "\n"); complete {
			rest, found := strings.CutPrefix(line, prefix)
			if !found {
				return "", fmt.Errorf("%s begins with %q instead of %q", filepath.Base(path), line, prefix)
			}
			return rest, nil
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-tick.C:
		}
	}
}
