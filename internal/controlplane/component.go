package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/smile-operator/smile-operator/internal/child"
)

const (
	startTimeout = 90 * time.Second
	stopTimeout  = 20 * time.Second
	pollInterval = 50 * time.Millisecond
	probeTimeout = 2 * time.Second
)

var versionPattern = regexp.MustCompile(`v?\d+\.\d+\.\d+\S*`)

// Component is one process of a control plane. A restart keeps its address, data and log file.
type Component struct {
	// Name of the binary.
	Name string
	// Log is the file with the output of all runs.
	Log string

	path   string
	args   []string
	url    string
	probes []string // paths under url that respond with 200 when the component is ready
	client *http.Client

	mu      sync.Mutex
	process *child.Process // nil before the first start
}

// closed is the end of a process that was never started.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// URL at which the component listens, for example https://127.0.0.1:41234.
func (c *Component) URL() string { return c.url }

// Start starts the component and returns when it is ready. If the process ends, is not ready within 90 seconds, or ctx ends,
// Start stops it and returns an error.
func (c *Component) Start(ctx context.Context) error {
	p, err := c.launch(ctx)
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", c.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.awaitReady(ctx, p); err != nil {
		_ = c.Stop()
		return fmt.Errorf("%s does not start: %w\n%s", c.Name, err, c.LogTail())
	}
	return nil
}

func (c *Component) launch(ctx context.Context) (*child.Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process.Running() {
		return nil, fmt.Errorf("it already runs as process %d", c.process.PID())
	}
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// ctx limits the start, not the run.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), c.path, c.args...)
	cmd.Dir = filepath.Dir(c.Log)
	cmd.Stdout, cmd.Stderr = log, log
	c.process, err = child.Start(cmd)
	return c.process, err
}

// awaitReady polls the probes until all of them succeed.
func (c *Component) awaitReady(ctx context.Context, p *child.Process) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	var last error
	for {
		if last = c.probe(ctx); last == nil {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("it ended: %w", p.Err())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		case <-tick.C:
		}
	}
}

// probe returns an error if the component is not ready.
func (c *Component) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	for _, path := range c.probes {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, http.NoBody)
		if err != nil {
			return err
		}
		answer, err := c.client.Do(request)
		if err != nil {
			return err
		}
		if err := answer.Body.Close(); err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s responded with %s", path, answer.Status)
		}
	}
	return nil
}

// PID is the process id, or 0 if the component does not run.
func (c *Component) PID() int {
	if p := c.current(); p.Running() {
		return p.PID()
	}
	return 0
}

// Done is closed when the current run has ended, for whatever reason.
func (c *Component) Done() <-chan struct{} {
	if p := c.current(); p != nil {
		return p.Done()
	}
	return closed
}

// Signal sends a signal to the process: SIGSTOP and SIGCONT pause and resume it, a moment later. If the component does not run,
// the error is os.ErrProcessDone.
func (c *Component) Signal(s syscall.Signal) error {
	p := c.current()
	if p == nil {
		return os.ErrProcessDone
	}
	return p.Signal(s)
}

// Kill ends the process without a chance to clean up, and returns when it has ended.
func (c *Component) Kill() {
	if p := c.current(); p.Running() {
		p.Kill()
	}
}

// Stop ends the process in an orderly way, also if it is paused. After 20 seconds it kills the process and returns an error. It
// is no error if the component does not run.
func (c *Component) Stop() error {
	if p := c.current(); p.Running() {
		return p.Stop(stopTimeout)
	}
	return nil
}

// Version returns the version that the binary prints, for example v1.37.2.
func (c *Component) Version(ctx context.Context) (string, error) {
	raw, err := exec.CommandContext(ctx, c.path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("version of %s: %w", c.Name, err)
	}
	return versionPattern.FindString(string(raw)), nil
}

func (c *Component) current() *child.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.process
}

// LogTail returns the end of Log, for an error message.
func (c *Component) LogTail() string {
	const lines = 15
	raw, err := os.ReadFile(c.Log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
