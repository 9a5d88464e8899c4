package controlplane

import (
	"os"
	"os/exec"
	"runtime"
)

// closed is the end of a process that never ran.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// process is one run of a component.
type process struct {
	id     int
	handle *os.Process
	done   chan struct{} // closed when it has ended and was reaped
	err    error         // how it ended; to be read after done
}

// spawn starts cmd as a child that does not take part in the terminal's
// interrupts and, where the system can do that, ends with this process.
func spawn(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = childAttributes()
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ties the signal at the parent's death to the thread that made
		// the child, so that thread stays until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.id, p.handle = cmd.Process.Pid, cmd.Process
		started <- nil
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// running is false for nil too.
func (p *process) running() bool {
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
