package controlplane

import (
	"context"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// parentCheck is how often the parent process is checked.
const parentCheck = 500 * time.Millisecond

// UntilInterrupted returns a context for the main function of a command that runs a control plane. It ends on SIGINT, SIGTERM or
// SIGHUP. If the command was started by "go run", it also ends when "go run" has ended, because "go run" does not forward a
// SIGTERM. A second signal has its usual effect.
func UntilInterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, cancel)
	if path, err := os.Executable(); err == nil && builtByGoRun.MatchString(path) {
		go endWithParent(ctx, cancel)
	}
	return ctx, cancel
}

// builtByGoRun matches the path of an executable of "go run": in its temporary directory the first time, later in the build
// cache.
var builtByGoRun = regexp.MustCompile(`/go-build\d+/b001/exe/[^/]+$|/[0-9a-f]{64}-d/[^/]+$`)

func endWithParent(ctx context.Context, cancel context.CancelFunc) {
	parent := os.Getppid()
	tick := time.NewTicker(parentCheck)
	defer tick.Stop()
	for os.Getppid() == parent {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	cancel()
}
