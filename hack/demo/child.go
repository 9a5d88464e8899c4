package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// patience is how long a process may take to end after an interrupt.
const patience = 25 * time.Second

// child is a process that this one started, together with those that it starts
// in turn: they form a group whose id is its own.
type child struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and was reaped
	err  error         // how it ended; to be read after done
}

func launch(cmd *exec.Cmd) (*child, error) {
	cmd.SysProcAttr = childAttributes()
	c := &child{name: filepath.Base(cmd.Path), cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ties the signal at the parent's death to the thread that made
		// the child, so that thread stays until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.done)
		}
	}()
	return c, <-started
}

// stop interrupts the group and returns when all of it has ended. It kills what
// does not end, and fails if that was the child itself, which had the time of
// patience. Stopping what has ended is no error.
func (c *child) stop(patience time.Duration) error {
	select {
	case <-c.done:
		return nil
	default:
	}
	c.signal(syscall.SIGINT)
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-c.done:
		c.signal(syscall.SIGKILL)
		return nil
	case <-timeout.C:
		c.signal(syscall.SIGKILL)
		<-c.done
		return fmt.Errorf("%s (process %d) did not stop within %s and was killed", c.name, c.cmd.Process.Pid, patience)
	}
}

// signal reaches the whole group; that nothing is left of it is no error.
func (c *child) signal(s syscall.Signal) { _ = syscall.Kill(-c.cmd.Process.Pid, s) }
