//go:build !linux

package main

import "syscall"

// childAttributes puts a child into a process group of its own, so that an
// interrupt typed in the terminal leaves the order of stopping to us.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
