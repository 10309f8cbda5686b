package modelstest

import "syscall"

// processAttributes have the server ended ("fast shutdown") when the tests die without cleaning up, as after a time-out.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT} }
