package child

import "syscall"

// attributes gives a child a process group of its own, so that an interrupt typed in the terminal reaches only this process,
// which then stops its children in order. The kernel kills the child when this process dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
