//go:build !linux

package controlplane

import "syscall"

// childAttributes leaves a child in our process group: an interrupt typed in
// the terminal reaches it even when we are no longer there to pass it on.
func childAttributes() *syscall.SysProcAttr { return nil }
