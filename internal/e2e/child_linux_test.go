//go:build e2e

package e2e

import "syscall"

// child has the kernel kill a process when the tests die before they could.
func child() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
