// Package child starts and stops child processes. On Linux a child never outlives the process that started it, however that ends.
package child

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Process is a child process. Together with the processes that it starts it forms a process group, whose id is its own.
type Process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended and was reaped
	err  error         // how it ended; read it only after done
}

// Start starts a command. The context of the command must not end before the process is stopped: it would be killed.
func Start(cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = attributes()
	p := &Process{name: filepath.Base(cmd.Path), cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux sends the signal of the parent's death when the thread that created the child ends. So the thread stays until the
		// child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// PID is the id of the process and of its group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether the process has not ended yet. A nil process does not run.
func (p *Process) Running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Err returns how the process ended: nil if it exited with 0. Call it only after Done is closed.
func (p *Process) Err() error { return p.err }

// Used is the processor time that the process used. Call it only after Done is closed.
func (p *Process) Used() time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// Signal sends a signal to the process alone. SIGSTOP and SIGCONT pause and resume it, a moment later. If the process has ended,
// the error is os.ErrProcessDone.
func (p *Process) Signal(s syscall.Signal) error {
	if !p.Running() {
		return os.ErrProcessDone
	}
	return p.cmd.Process.Signal(s)
}

// Stop interrupts the group, also if it is paused, and returns when all of it has ended. If the process has not ended after the
// time of patience, Stop kills the group and returns an error. What is left of the group when the process has ended is killed
// too, which is no error. Nor is it one if the process had ended before.
func (p *Process) Stop(patience time.Duration) error {
	if !p.Running() {
		return nil
	}
	p.signalGroup(syscall.SIGINT)
	p.signalGroup(syscall.SIGCONT)
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-p.done:
		p.signalGroup(syscall.SIGKILL)
		return nil
	case <-timeout.C:
		p.Kill()
		return fmt.Errorf("%s (process %d) did not stop within %s and was killed", p.name, p.PID(), patience)
	}
}

// Kill ends the group at once, without a chance to clean up, and returns when the process has ended.
func (p *Process) Kill() {
	p.signalGroup(syscall.SIGKILL)
	<-p.done
}

// signalGroup sends a signal to what is left of the group, if anything.
func (p *Process) signalGroup(s syscall.Signal) { _ = syscall.Kill(-p.PID(), s) }
