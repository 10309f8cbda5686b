//go:build !linux

package modelstest

import "syscall"

// processAttributes: only Linux can end a child with its parent.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
