package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	indexTimeout    = 20 * time.Second
	downloadTimeout = 5 * time.Minute
	heartbeat       = 30 * time.Second
)

// source is a place that binaries may come from.
type source struct {
	// costly means that the source downloads or builds.
	costly bool
	// find returns the paths of those binaries that this source has.
	find func(ctx context.Context, wanted []string) (map[string]string, error)
}

// sources lists the sources in the order in which they are used.
func sources(cache string, pinned map[string]string) []source {
	return []source{
		{find: directory(os.Getenv("KUBEBUILDER_ASSETS"))},
		{find: directory(cache)},
		{costly: true, find: func(ctx context.Context, wanted []string) (map[string]string, error) {
			return download(ctx, cache, pinned[kubernetesModule], wanted)
		}},
		{costly: true, find: func(ctx context.Context, wanted []string) (map[string]string, error) {
			return build(ctx, cache, pinned, wanted)
		}},
	}
}

// directory is a source of the binaries in dir.
func directory(dir string) func(context.Context, []string) (map[string]string, error) {
	return func(_ context.Context, wanted []string) (map[string]string, error) {
		found := map[string]string{}
		for _, name := range wanted {
			path := filepath.Join(dir, name)
			if dir != "" && executable(path) {
				found[name] = path
			}
		}
		return found, nil
	}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// download fills the cache by setup-envtest. If the downloads cannot be reached, nothing is found within seconds, which is no
// error.
func download(ctx context.Context, cache, version string, wanted []string) (map[string]string, error) {
	var offered []string
	for _, b := range pick(wanted) {
		if b.envtest {
			offered = append(offered, b.name)
		}
	}
	if len(offered) == 0 {
		return nil, nil
	}
	tool, err := output(ctx, downloadTimeout, "go", "-C", filepath.Join("..", "tools"), "tool", "-n", "setup-envtest")
	if err != nil {
		say("setup-envtest is out of reach")
		return nil, ctx.Err()
	}
	partial, err := os.MkdirTemp(cache, ".partial-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(partial) }()

	minor := strings.TrimPrefix(version[:strings.LastIndex(version, ".")], "v")
	if _, err := output(ctx, indexTimeout, tool, "list", minor, "--bin-dir", partial); err != nil {
		say("setup-envtest's downloads are out of reach")
		return nil, ctx.Err()
	}
	say("downloading Kubernetes %s with setup-envtest", minor)
	dir, err := output(ctx, downloadTimeout, tool, "use", minor, "--print", "path", "--bin-dir", partial)
	if err != nil {
		say("setup-envtest could not: %v", err)
		return nil, ctx.Err()
	}
	return adopt(dir, cache, offered)
}

// adopt moves the binaries from a partial directory into the cache, each in one step, so that the cache never holds half a
// binary.
func adopt(partial, cache string, wanted []string) (map[string]string, error) {
	found := map[string]string{}
	for _, name := range wanted {
		from, to := filepath.Join(partial, name), filepath.Join(cache, name)
		if !executable(from) {
			continue
		}
		if err := os.Rename(from, to); err != nil {
			return nil, err
		}
		found[name] = to
	}
	return found, nil
}

// build compiles the binaries into the cache.
func build(ctx context.Context, cache string, pinned map[string]string, wanted []string) (map[string]string, error) {
	partial, err := os.MkdirTemp(cache, ".partial-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(partial) }()

	found := map[string]string{}
	for _, b := range pick(wanted) {
		if err := compile(ctx, b, pinned[b.module], partial); err != nil {
			return nil, fmt.Errorf("building %s: %w", b.name, err)
		}
		done, err := adopt(partial, cache, []string{b.name})
		if err != nil {
			return nil, err
		}
		found[b.name] = done[b.name]
	}
	return found, nil
}

// compile builds one static binary into dir, and prints every half minute that it is still building.
func compile(ctx context.Context, b binary, version, dir string) error {
	say("building %s %s from source, about %s on two cores the first time", b.name, version, b.cold)
	began := time.Now()

	cmd := command(ctx, "go", "build", "-trimpath", "-ldflags", ldflags(b, version), "-o", filepath.Join(dir, b.name), b.pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()

	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return cmp.Or(ctx.Err(), err)
			}
			say("built %s in %s", b.name, elapsed(began))
			return nil
		case <-tick.C:
			say("still building %s, %s", b.name, elapsed(began))
		}
	}
}

func elapsed(since time.Time) time.Duration { return time.Since(since).Round(time.Second) }

// ldflags strips the binary and stamps the Kubernetes version into it. kube-apiserver derives its compatibility from that. etcd
// has a version of its own.
func ldflags(b binary, version string) string {
	flags := []string{"-s", "-w"}
	if b.module != kubernetesModule {
		return strings.Join(flags, " ")
	}
	part := strings.Split(strings.TrimPrefix(version, "v"), ".")
	for _, stamp := range [][2]string{
		{"gitVersion", version}, {"gitMajor", part[0]}, {"gitMinor", part[1]}, {"gitTreeState", "clean"}, {"gitCommit", "unknown"},
	} {
		flags = append(flags, fmt.Sprintf("-X k8s.io/component-base/version.%s=%s", stamp[0], stamp[1]))
	}
	return strings.Join(flags, " ")
}

// output runs a command for at most limit and returns what it printed.
func output(ctx context.Context, limit time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	raw, err := command(ctx, name, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(raw)), err
}

// command returns a command that is interrupted, not killed, when ctx ends, so that it can stop its children.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}
