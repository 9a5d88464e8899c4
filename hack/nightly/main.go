// Command nightly runs all tests, including those that take too long for CI, one make target after the other, and writes the
// results to docs/nightly.md. A part that fails does not stop the others. The earlier results of parts that do not run now are
// kept.
//
// Environment: NIGHTLY_ONLY names some of the parts, separated by commas or spaces. The environment of the targets is passed on.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// resultFile is written to the root of the module, after each part.
const resultFile = "docs/nightly.md"

// part is a make target.
type part struct {
	name string
	// env is a variable for the target, unless empty.
	env string
	// skipped matches the output of a part that failed only because something outside could not be reached.
	skipped *regexp.Regexp
	// why names what could not be reached.
	why string
}

var parts = []part{
	{name: "test"},
	{name: "e2e"},
	{name: "e2e-long"},
	{name: "wink-journeys"},
	{name: "crash-points"},
	{name: "failed-writes"},
	{name: "flood"},
	{name: "soak"},
	{name: "model"},
	{name: "fuzz"},
	{name: "test-future"},
	{name: "release-twice", env: "VERSION=v0.0.0-nightly"},
	{name: "bench"},
	{
		name:    "vulncheck",
		skipped: regexp.MustCompile(`fetching vulnerabilities: `),
		why:     "the vulnerability database cannot be reached",
	},
}

func main() {
	chosen, err := choose(os.Getenv("NIGHTLY_ONLY"))
	if err == nil {
		err = run(context.Background(), chosen)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// choose returns the parts of these names, or all parts if there are none.
func choose(names string) ([]part, error) {
	wanted := strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' })
	if len(wanted) == 0 {
		return parts, nil
	}
	var chosen []part
	for _, name := range wanted {
		at := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if at < 0 {
			return nil, fmt.Errorf("NIGHTLY_ONLY: there is no part %q", name)
		}
		chosen = append(chosen, parts[at])
	}
	return chosen, nil
}

// run runs the parts and writes the results. It returns an error if a part failed.
func run(ctx context.Context, chosen []part) error {
	commit, err := output(ctx, "git", "describe", "--always", "--dirty", "--exclude=*")
	if err != nil {
		return err
	}
	former, err := os.ReadFile(resultFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	results := parse(string(former))
	logs, err := os.MkdirTemp("", "smile-nightly-")
	if err != nil {
		return err
	}
	var failed []string
	for _, p := range chosen {
		fmt.Printf("\n=== make %s; the output is also in %s ===\n\n", p.name, filepath.Join(logs, p.name+".log"))
		result, err := p.run(ctx, logs)
		if err != nil {
			return err
		}
		result.commit = commit
		results[p.name] = result
		if result.state == failedState {
			failed = append(failed, p.name)
		}
		fmt.Printf("\n=== make %s: %s after %s ===\n", p.name, result.state, result.took)
		if err := os.WriteFile(resultFile, []byte(render(results)), 0o644); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// run makes the target and reads its output. An error means that it could not be run at all.
func (p part) run(ctx context.Context, logs string) (result, error) {
	var all bytes.Buffer
	log, err := os.Create(filepath.Join(logs, p.name+".log"))
	if err != nil {
		return result{}, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, "make", p.name)
	cmd.Env = append(os.Environ(), "TESTFLAGS=-v -count=1")
	if p.env != "" {
		cmd.Env = append(cmd.Env, p.env)
	}
	sink := io.MultiWriter(os.Stdout, log, &all)
	cmd.Stdout, cmd.Stderr = sink, sink
	machine, began := fmt.Sprintf("%d cores%s", runtime.NumCPU(), load()), time.Now()
	err = cmd.Run()
	made := result{
		state: passedState, took: time.Since(began).Round(time.Second).String(), date: began.UTC().Format(time.DateOnly),
		machine: machine, figures: figures(all.String()),
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
	case !errors.As(err, &exit):
		return result{}, err
	case p.skipped != nil && p.skipped.Match(all.Bytes()):
		made.state, made.figures = "skipped: "+p.why, nil
	default:
		made.state = failedState
	}
	return made, nil
}

// load describes the load of the machine before a part, because measured times depend on it. It is empty if it is not known.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) == 0 {
		return ""
	}
	return ", load " + fields[0]
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
