package child

import "syscall"

// attributes puts a child into a process group of its own, so that an
// interrupt typed in the terminal leaves the order of stopping to us, and has
// the kernel kill it when we die.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
