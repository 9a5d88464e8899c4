package controlplane

import (
	"context"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// parentCheck is how often the parent process is looked at.
const parentCheck = 500 * time.Millisecond

// UntilInterrupted returns a context for the main function of a command that
// runs a control plane: it ends at SIGINT, SIGTERM or SIGHUP, and when the
// command was started by "go run" and that is gone, because "go run" dies of a
// SIGTERM without passing it on. A second signal has its usual effect.
func UntilInterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, cancel)
	if path, err := os.Executable(); err == nil && builtByGoRun.MatchString(path) {
		go endWithParent(ctx, cancel)
	}
	return ctx, cancel
}

// builtByGoRun matches where "go run" puts an executable: its temporary
// directory the first time, the build cache after that.
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
