package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/smile-operator/smile-operator/internal/child"
)

// subject is an operator that is measured: its sources with CRDs and rights, and its binaries.
type subject struct {
	// name in tables.
	name string
	// root of its module.
	root string
	// binaries is the directory of the built programs.
	binaries string
}

// build builds the operator of a subject, and the bare loop of the working directory.
func (b *bench) build(ctx context.Context, s subject) error {
	b.headline("build: the operator of %s", s.name)
	if err := os.MkdirAll(s.binaries, 0o700); err != nil {
		return err
	}
	of := func(root, program string) error {
		return command(ctx, root, "go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", s.binaries, program)
	}
	return errors.Join(of(s.root, "./cmd/smile-operator"), of(b.root, "./hack/bench/bareloop"))
}

// checkOut writes the sources of a commit into a directory of the bench, and leaves nothing in the repository.
func (b *bench) checkOut(ctx context.Context, commit string) (subject, error) {
	s := subject{name: "base", root: filepath.Join(b.work, "base"), binaries: filepath.Join(b.work, "base-bin")}
	archive := filepath.Join(b.work, "base.tar")
	if err := os.MkdirAll(s.root, 0o700); err != nil {
		return s, err
	}
	return s, errors.Join(
		command(ctx, b.root, "git", "archive", "--output="+archive, commit),
		command(ctx, s.root, "tar", "-xf", archive),
	)
}

// command runs a command until it ends, and quotes its output if it fails.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), name, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	p, err := child.Start(cmd)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
		if p.Err() != nil {
			return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), p.Err(), &out)
		}
		return nil
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), p.Stop(patience))
	}
}
