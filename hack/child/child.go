// Package child runs the processes that a command of this directory starts, so that none of them outlives it.
package child

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Process is a process that this one started, together with those that it
// starts in turn: they form a group whose id is its own.
type Process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and was reaped
	err  error         // how it ended; to be read after done
}

// Start starts a command.
func Start(cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = attributes()
	p := &Process{name: filepath.Base(cmd.Path), cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ties the signal at the parent's death to the thread that made
		// the child, so that thread stays until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells how the process ended, once Done is closed.
func (p *Process) Err() error { return p.err }

// Used is how much processor time the process used, once Done is closed.
func (p *Process) Used() time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// PID is the id of the process and of its group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop interrupts the group and returns when all of it has ended. It kills what
// does not end, and fails if that was the process itself, which had the time of
// patience. Stopping what has ended is no error.
func (p *Process) Stop(patience time.Duration) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	p.signal(syscall.SIGINT)
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-p.done:
		p.signal(syscall.SIGKILL)
		return nil
	case <-timeout.C:
		p.Kill()
		return fmt.Errorf("%s (process %d) did not stop within %s and was killed", p.name, p.PID(), patience)
	}
}

// Kill ends the group without a chance to clean up.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// signal reaches the whole group; that nothing is left of it is no error.
func (p *Process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }
