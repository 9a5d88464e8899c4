//go:build e2e && !linux

package e2e

import "syscall"

func child() *syscall.SysProcAttr { return nil }
